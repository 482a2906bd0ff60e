use proto::data::Alert;

use crate::filled_in::FilledIn;

/// The questionnaire's rules that the answers set off, in its order.
pub(super) fn set_off_by(filled_in: &FilledIn<'_>) -> Vec<Alert> {
    let rules = filled_in.questionnaire.alerts.iter();
    rules
        .filter(|rule| filled_in.meets(&rule.condition))
        .map(|rule| Alert { rule: rule.id.clone(), urgent: rule.urgent })
        .collect()
}
