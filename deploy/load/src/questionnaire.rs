//! Random answers: mostly mild ones, and sometimes one that causes an alert.

use fastrand::Rng;
use serde_json::{Value, json};

/// Notes to choose from.
const NOTES: [&str; 4] = ["A quiet day.", "Worse in the evening.", "Slept well.", "Tired since the morning."];

/// The daily symptom diary.
pub(crate) fn diary(rng: &mut Rng) -> Value {
    // Alerts start at a pain of 8 and at 39.0 degrees.
    let (pain, temperature) =
        if rng.u8(..20) == 0 { (rng.u8(8..=10), rng.u32(385..=400)) } else { (rng.u8(0..=6), rng.u32(360..=379)) };
    let mut answers = json!({"pain": pain, "rescue": pain >= 5, "temperature": f64::from(temperature) / 10.0});
    if pain >= 5 {
        answers["rescue_doses"] = rng.u8(1..=3).into();
    }
    if rng.bool() {
        answers["note"] = NOTES[rng.usize(..NOTES.len())].into();
    }
    answers
}

/// PHQ-9. A person must look at the report when its last item is not 0.
pub(crate) fn phq9(rng: &mut Rng) -> Value {
    let mut answers = scale("phq9", 9, rng);
    if rng.u8(..10) > 0 {
        answers["phq9-9"] = 0.into();
    }
    let is_troubled = answers.as_object().is_some_and(|answers| answers.values().any(|answer| *answer != 0));
    if is_troubled {
        answers["phq9-difficulty"] = rng.u8(0..=3).into();
    }
    answers
}

/// GAD-7.
pub(crate) fn gad7(rng: &mut Rng) -> Value {
    scale("gad7", 7, rng)
}

/// Items from 0 to 3. Lower values are more frequent.
fn scale(name: &str, items: u8, rng: &mut Rng) -> Value {
    (1..=items).map(|item| (format!("{name}-{item}"), Value::from(rng.u8(0..=3).min(rng.u8(0..=3))))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diary_keeps_to_the_ranges_and_counts_doses_only_of_who_took_some() {
        let mut rng = Rng::with_seed(1);
        let diaries: Vec<Value> = (0..1000).map(|_| diary(&mut rng)).collect();
        let pain = |diary: &Value| diary["pain"].as_u64().unwrap();
        for diary in &diaries {
            let temperature = diary["temperature"].as_f64().unwrap();
            assert!(pain(diary) <= 10 && (34.0..=43.0).contains(&temperature), "{diary}");
            assert_eq!(diary["rescue"] == true, diary.get("rescue_doses").is_some(), "{diary}");
        }
        let severe = diaries.iter().filter(|diary| pain(diary) >= 8).count();
        assert!((20..100).contains(&severe), "{severe}");
    }

    #[test]
    fn a_phq9_says_how_difficult_life_is_only_when_something_troubles() {
        let mut rng = Rng::with_seed(1);
        for _ in 0..10_000 {
            let answers = phq9(&mut rng);
            let is_troubled = (1..=9).any(|item| answers[format!("phq9-{item}")] != 0);
            assert_eq!(is_troubled, answers.get("phq9-difficulty").is_some(), "{answers}");
        }
    }

    #[test]
    fn a_gad7_has_seven_answers() {
        let answers = gad7(&mut Rng::with_seed(1));
        assert_eq!(answers.as_object().map(serde_json::Map::len), Some(7));
    }
}
