use proto::data::Alert;

use crate::filled_in::FilledIn;

/// The alerts that the answers raise, in the order of the questionnaire's rules. Several rules may have the same id:
/// they are alternative conditions of one rule, and a report has at most one alert for it.
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
