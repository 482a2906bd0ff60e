use proto::data::Score;
use proto::domain::answer::Value;

use crate::filled_in::FilledIn;
use crate::questionnaire::{ItemType, Scoring};

/// The total and its band. `None` when the questionnaire is not scored, or when the total does not fit into 32 bits: a
/// wrong score would be worse than none.
pub(super) fn of(filled_in: &FilledIn<'_>) -> Option<Score> {
    let Scoring::Sum { items, bands } = filled_in.questionnaire.scoring.as_ref()?;
    let total: i128 = items.iter().filter_map(|link_id| points(filled_in, link_id)).map(i128::from).sum();
    let total = i32::try_from(total).ok()?;
    let band = bands.iter().find(|band| (band.min..=band.max).contains(&total));
    Some(Score { total, band: band.map(|band| band.id.clone()) })
}

/// What an item adds to the total. Only whole numbers count, and only for items that ask for one.
fn points(filled_in: &FilledIn<'_>, link_id: &str) -> Option<i64> {
    match filled_in.counted(link_id)? {
        (item, Value::Integer(points)) if matches!(item.kind, ItemType::Choice | ItemType::Integer) => Some(*points),
        _ => None,
    }
}
