//! Measures how often the explanation is right, on random systems that each have a fault at a random place.
//!
//! `cargo test -p traces matrix -- --nocapture --test-threads=1` prints the matrix that is in `docs/explain.md`.

use std::collections::BTreeMap;

use fastrand::Rng;

use super::generate::{Example, FAILURES, Truth, double, example};
use crate::Trace;
use crate::explain::{Cause, Confidence, Explanation, explain};

const FAILING: usize = 600;
const HEALTHY: usize = 600;

fn is_right(truth: &Truth, told: &Explanation) -> bool {
    let cause = told.cause == truth.cause || truth.or == Some(told.cause);
    let named = told.guilty.as_ref().map(|place| [&place.blamed, &place.service]);
    let guilty =
        truth.guilty.is_empty() || named.is_some_and(|named| named.iter().any(|name| truth.guilty.contains(name)));
    cause && guilty
}

/// A row for each true cause, a column for each explained one.
#[derive(Default)]
struct Matrix(BTreeMap<String, BTreeMap<String, usize>>);

impl Matrix {
    fn count(&mut self, was: &Truth, told: &Explanation) {
        let cause = if is_right(was, told) { was.cause } else { told.cause };
        let name = if !is_right(was, told) && told.cause == was.cause {
            format!("{} elsewhere", cause.name())
        } else {
            cause.name()
        };
        *self.0.entry(was.cause.name()).or_default().entry(name).or_default() += 1;
    }

    fn print(&self, heading: &str) {
        println!("\n{heading}\n");
        println!("| true cause | traces | right verdicts | other verdicts |");
        println!("|---|---|---|---|");
        for (was, told) in &self.0 {
            let all: usize = told.values().sum();
            let right = told.get(was).copied().unwrap_or(0);
            let others: Vec<String> =
                told.iter().filter(|(told, _)| *told != was).map(|(told, count)| format!("{count} {told}")).collect();
            println!("| {was} | {all} | {right} | {} |", others.join(", "));
        }
    }

    fn right(&self) -> usize {
        self.0.iter().map(|(was, told)| told.get(was).copied().unwrap_or(0)).sum()
    }
}

fn show(wrong: &[(Example, Explanation)]) -> String {
    let shown = wrong.iter().take(6).map(|(example, told)| format!("{:?}\n{told}\n{}\n", example.truth, example.trace));
    shown.collect()
}

#[test]
fn of_six_hundred_failing_traces_all_but_one_in_a_hundred_are_told_right() {
    let mut rng = Rng::with_seed(20_261_128);
    let (mut single, mut twofold) = (Matrix::default(), Matrix::default());
    let (mut wrong, mut singles) = (Vec::new(), 0);
    for at in 0..FAILING {
        let is_double = at % 10 == 9;
        let causes = if is_double { &FAILURES[4..21] } else { &FAILURES[..] };
        let cause = causes[rng.usize(0..causes.len())];
        let example = if is_double { double(&mut rng, cause) } else { example(&mut rng, cause) };
        let told = explain(&example.trace);
        if is_double { &mut twofold } else { &mut single }.count(&example.truth, &told);
        singles += usize::from(!is_double);
        if !is_right(&example.truth, &told) {
            wrong.push((example, told));
        }
    }
    single.print(&format!("{singles} traces with one fault: {} told right", single.right()));
    twofold.print(&format!("{} traces with two faults: {} told right", FAILING - singles, twofold.right()));
    assert!(single.right() * 100 >= singles * 99, "{} of {singles}\n{}", single.right(), show(&wrong));
    assert!(
        twofold.right() * 100 >= (FAILING - singles) * 95,
        "{} of {}\n{}",
        twofold.right(),
        FAILING - singles,
        show(&wrong)
    );
}

#[test]
fn of_six_hundred_healthy_traces_none_is_called_failing() {
    let mut rng = Rng::with_seed(1_128);
    let mut matrix = Matrix::default();
    for at in 0..HEALTHY {
        let cause = match at % 6 {
            0 => Cause::SlowButHealthy,
            1 => Cause::Refused,
            _ => Cause::Healthy,
        };
        let example = example(&mut rng, cause);
        let told = explain(&example.trace);
        matrix.count(&example.truth, &told);
        assert!(!told.cause.is_failure(), "{:?}\n{told}\n{}", example.truth, example.trace);
    }
    matrix.print(&format!("{HEALTHY} traces in which nothing failed: {} told right", matrix.right()));
    assert_eq!(matrix.right(), HEALTHY);
}

#[test]
fn a_tenth_of_the_spans_lost_makes_no_verdict_both_sure_and_wrong() {
    let mut rng = Rng::with_seed(281_126);
    let mut matrix = Matrix::default();
    let (mut sure_and_wrong, mut all, mut unknown) = (Vec::new(), 0, 0);
    for _ in 0..FAILING {
        // Skips broken chains, because the loss of a span is one already.
        let cause = FAILURES[rng.usize(0..FAILURES.len())];
        if cause == Cause::BrokenChain {
            continue;
        }
        let Example { trace, truth } = example(&mut rng, cause);
        let mut spans = trace.spans.clone();
        for _ in 0..spans.len().div_ceil(10) {
            spans.swap_remove(rng.usize(0..spans.len()));
        }
        let pruned = Trace::new(spans);
        let told = explain(&pruned);
        matrix.count(&truth, &told);
        all += 1;
        unknown += usize::from(told.confidence == Confidence::CannotTell);
        if told.confidence == Confidence::Certain && !is_right(&truth, &told) {
            sure_and_wrong.push((Example { trace: pruned, truth }, told));
        }
    }
    println!(
        "\n{all} traces that have lost a tenth of their spans: {} told right, {unknown} \"cannot tell\", {} likely and \
         wrong, {} certain and wrong\n",
        matrix.right(),
        all - matrix.right() - unknown - sure_and_wrong.len(),
        sure_and_wrong.len()
    );
    assert!(sure_and_wrong.is_empty(), "{}\n{}", sure_and_wrong.len(), show(&sure_and_wrong));
}
