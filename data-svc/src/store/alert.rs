use sqlx::query;
use telemetry::postgres::Tx;
use uuid::Uuid;

/// An alert rule of the questionnaire whose condition a report's answers meet.
pub(crate) struct Alert {
    pub(crate) rule: String,
    pub(crate) urgent: bool,
}

/// Stores the alerts that a report has raised.
pub(crate) async fn insert(tx: &mut Tx<'_>, report_id: Uuid, alerts: &[Alert]) -> sqlx::Result<()> {
    let (rules, urgent): (Vec<_>, Vec<_>) = alerts.iter().map(|alert| (alert.rule.clone(), alert.urgent)).unzip();
    query!(
        "INSERT INTO clinical.alert (report_id, rule, urgent)
         SELECT $1, rule, urgent FROM unnest($2::text[], $3::boolean[]) AS alert (rule, urgent)",
        report_id,
        &rules,
        &urgent,
    )
    .execute(tx)
    .await
    .map(drop)
}
