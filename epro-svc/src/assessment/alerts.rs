use proto::data::Alert;

use crate::filled_in::FilledIn;

/// The questionnaire's rules that the answers set off, in its order. Those with the same id are one, of which
/// any condition may be met: a report has at most one alert of a rule.
pub(super) fn set_off_by(filled_in: &FilledIn<'_>) -> Vec<Alert> {
    let mut alerts: Vec<Alert> = Vec::new();
    for rule in filled_in.questionnaire.alerts.iter().filter(|rule| filled_in.meets(&rule.condition)) {
        match alerts.iter_mut().find(|alert| alert.rule == rule.id) {
            Some(alert) => alert.urgent |= rule.urgent,
            None => alerts.push(Alert { rule: rule.id.clone(), urgent: rule.urgent }),
        }
    }
    alerts
}
