//! Whatever is killed or partitioned, and whenever: an accepted report is stored once and the nurses are notified.

use std::time::Duration;

use testkit::chaos::{self, Plan};

/// Ten processes beside other tests recover more slowly than alone, where `cargo xtask chaos` gives them 15 s.
const PLAN: Plan = Plan {
    faults: 12,
    seed: 7,
    phones: 3,
    sweeper: true,
    recovery: Duration::from_mins(1),
    settle: Duration::from_mins(2),
};

#[tokio::test]
async fn nothing_is_lost_or_doubled_when_processes_are_killed_and_cut_off_at_random_moments() -> anyhow::Result<()> {
    let verdict = chaos::run(&PLAN).await?;
    assert!(verdict.is_good(), "{verdict}");
    assert!(verdict.acknowledged > 0 && verdict.faults.values().sum::<usize>() == PLAN.faults, "{verdict}");
    Ok(())
}

#[tokio::test]
async fn without_the_sweeper_notifications_get_stuck_and_the_check_says_so() -> anyhow::Result<()> {
    let verdict = chaos::run(&Plan { sweeper: false, settle: Duration::from_secs(3), ..PLAN }).await?;
    assert!(!verdict.stuck.is_empty(), "{verdict}");
    assert!(verdict.lost.is_empty() && verdict.duplicates == 0, "{verdict}");
    Ok(())
}
