//! The simulated actions, with their frequencies.

use fastrand::Rng;

/// An action of one or a few requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Patient(OfPatient),
    Nurse(OfNurse),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OfPatient {
    Diary,
    Phq9,
    Gad7,
    Assignments,
    Reports,
    /// 422: a pain value outside of the scale.
    OutOfRange,
    /// 422: an idempotency key that was used for a different report.
    KeyAgain,
    /// 404.
    UnknownReport,
    /// 401; then logs in with the right PIN.
    WrongPin,
    /// 401.
    NoToken,
    /// Sends a report and disconnects before the answer. The only action that the services record as an error.
    Leave,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OfNurse {
    WorkList,
    Review,
    Audit,
}

/// A row of the table of actions.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// The action's name in the log.
    pub(crate) name: &'static str,
    pub(crate) action: Action,
    /// Its frequency in percent.
    weight: u32,
}

const fn patient(name: &'static str, action: OfPatient, weight: u32) -> Row {
    Row { name, action: Action::Patient(action), weight }
}

const fn nurse(name: &'static str, action: OfNurse, weight: u32) -> Row {
    Row { name, action: Action::Nurse(action), weight }
}

const TABLE: [Row; 14] = [
    patient("submit a diary", OfPatient::Diary, 38),
    patient("submit a PHQ-9", OfPatient::Phq9, 6),
    patient("submit a GAD-7", OfPatient::Gad7, 6),
    patient("read assignments", OfPatient::Assignments, 10),
    patient("list own reports", OfPatient::Reports, 8),
    nurse("read the work list", OfNurse::WorkList, 8),
    nurse("review a report", OfNurse::Review, 6),
    nurse("read an audit trail", OfNurse::Audit, 4),
    patient("submit a pain out of range", OfPatient::OutOfRange, 3),
    patient("use an idempotency key again", OfPatient::KeyAgain, 2),
    patient("read an unknown report", OfPatient::UnknownReport, 2),
    patient("mistype the PIN", OfPatient::WrongPin, 2),
    patient("forget the token", OfPatient::NoToken, 1),
    patient("leave before the answer", OfPatient::Leave, 4),
];

/// Chooses the next action at random, by weight.
pub(crate) fn choose(rng: &mut Rng) -> &'static Row {
    let mut at = rng.u32(..100);
    let chosen = TABLE.iter().find(|row| {
        let found = at < row.weight;
        at = at.saturating_sub(row.weight);
        found
    });
    chosen.unwrap_or(&TABLE[0])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use migrations::demo::PATIENTS;

    use super::*;

    #[test]
    fn the_weights_are_percentages() {
        assert_eq!(TABLE.iter().map(|row| row.weight).sum::<u32>(), 100);
    }

    #[test]
    fn every_action_is_chosen_about_as_often_as_its_weight_says() {
        const CHOICES: u32 = 100_000;
        let (mut rng, mut counts) = (Rng::with_seed(1), BTreeMap::new());
        for _ in 0..CHOICES {
            *counts.entry(choose(&mut rng).name).or_insert(0_u32) += 1;
        }
        for row in &TABLE {
            let (count, expected) = (counts[row.name], row.weight * CHOICES / 100);
            assert!(count.abs_diff(expected) < expected / 5, "{}: {count} instead of {expected}", row.name);
        }
    }

    #[test]
    fn a_patient_submits_less_than_the_study_takes_of_them_in_an_hour() {
        // Allowed per hour: `reports_per_hour` of migrations::demo. The load makes an action every 1.5 s.
        const TAKEN: usize = 600;
        const ACTIONS: usize = 3600 * 2 / 3;
        let reports = |row: &&Row| match row.action {
            Action::Patient(action) => {
                use OfPatient::{Diary, Gad7, KeyAgain, Leave, Phq9};
                matches!(action, Diary | Phq9 | Gad7 | KeyAgain | Leave)
            }
            Action::Nurse(_) => false,
        };
        let share: u32 = TABLE.iter().filter(reports).map(|row| row.weight).sum();
        let each = ACTIONS * share as usize / 100 / PATIENTS.len();
        assert!(each < TAKEN * 2 / 3, "{each}");
    }
}
