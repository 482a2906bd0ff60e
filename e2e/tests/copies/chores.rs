//! The periodic tasks of every copy, here four times a second, so that the copies run the same tasks at the same time.

use e2e::setup::windows_made;
use e2e::{DEADLINE, NEIGHBOUR, NURSES_PER_SITE, PATIENT, problem, submitted};
use migrations::demo::{NURSES, PATIENTS};
use serde_json::{Value, json};
use testkit::stack::{Builder, Service, Stack};
use testkit::{poll, sms, smtp};

use super::{COPIES, MESSAGES, all_told, submit, three_of_each};

const SO_OFTEN: &str = "250ms";

/// A stack with very frequent periodic tasks.
fn busy() -> Builder {
    [
        (Service::DataSvc, "EPRO_AUDIT__SEAL_EVERY", SO_OFTEN),
        (Service::DataSvc, "EPRO_SCHEDULE__MATERIALISE_EVERY", SO_OFTEN),
        (Service::DataSvc, "EPRO_UNNOTIFIED__LOOK_EVERY", SO_OFTEN),
        (Service::DataSvc, "EPRO_IDEMPOTENCY__DELETE_EVERY", SO_OFTEN),
        (Service::UserSvc, "EPRO_HOUSEKEEPING__EVERY", SO_OFTEN),
        (Service::UserSvc, "EPRO_HOUSEKEEPING__KEEP", "0s"),
        (Service::UserSvc, "EPRO_HOUSEKEEPING__BATCH", "2"),
        (Service::NotifySvc, "EPRO_SWEEP__INTERVAL", SO_OFTEN),
        (Service::NotifySvc, "EPRO_SWEEP__OVERDUE", "0s"),
    ]
    .into_iter()
    .fold(three_of_each(), |builder, (service, name, value)| builder.env(service, name, value))
}

/// The log lines of all copies with this message.
fn lines(stack: &Stack, message: &str) -> Vec<Value> {
    stack.all_logs().all().into_iter().filter(|line| line["message"] == message).collect()
}

/// Checks that nothing failed: no statement had a deadlock or a conflict with a row of another copy.
fn no_complaint(stack: &Stack) {
    let complaints =
        stack.all_logs().all().into_iter().filter(|line| line["level"] == "WARN" || line["level"] == "ERROR");
    assert_eq!(complaints.collect::<Vec<_>>(), Vec::<Value>::new());
}

#[tokio::test]
async fn hints_and_three_sweepers_send_each_message_once_and_three_sealers_make_one_chain() -> anyhow::Result<()> {
    let stack = busy().start().await?;
    let answers = submit(&stack, 4, 10).await?;
    all_told(&stack, answers.len()).await?;
    windows_made(&stack).await?;

    let verified = async || stack.command(Service::DataSvc, &["audit", "verify", "--unsealed-after", "1ms"]).await;
    let verified = poll::until(DEADLINE, verified, |output| output.status.success()).await?;
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
    let seals = lines(&stack, "audit trail sealed");
    let mut numbers: Vec<_> = seals.iter().filter_map(|line| line["seq"].as_u64()).collect();
    numbers.sort_unstable();
    // Each number was sealed by one copy only. (There is one study.)
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    no_complaint(&stack);
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_report_that_nobody_was_told_of_is_noted_and_told_to_the_study_once() -> anyhow::Result<()> {
    const REPORTS: usize = 5;
    let stack = busy().start().await?;
    for nurse in NURSES.iter().filter(|nurse| nurse.site == PATIENT.site) {
        stack.sms.respond_to(nurse.phone, sms::Behaviour::Refuse(400));
        stack.smtp.respond_to(nurse.email, smtp::Behaviour::RefuseRecipient);
    }
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    let mut body = testkit::client::report(PATIENT.assignment);
    body["answers"]["pain"] = json!(9);
    for number in 0..REPORTS {
        client.submit(&token, &number.to_string(), &body).await?.expect_status(201)?;
    }
    let mut database = stack.database.connect().await?;
    let states = async || {
        let counts = "SELECT count(*) FILTER (WHERE state = 'delivered'), count(*) FROM clinical.notification";
        Ok(sqlx::query_as::<_, (i64, i64)>(counts).fetch_one(&mut database).await?)
    };
    // No nurse of the patient's site was notified, and every nurse of the other site was.
    let expected = (i64::try_from(REPORTS * MESSAGES)?, i64::try_from(2 * REPORTS * MESSAGES)?);
    assert_eq!(poll::until(DEADLINE, states, |states| *states == expected).await?, expected);
    assert_eq!(lines(&stack, "nobody is told of this report").len(), REPORTS);
    assert_eq!(lines(&stack, "the nurses of the whole study are told of this report").len(), REPORTS);
    // Reports that are escalated together may be in one message.
    let told = 1..=REPORTS * NURSES_PER_SITE;
    assert!(told.contains(&stack.sms.accepted().len()) && told.contains(&stack.smtp.accepted().len()));
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn what_is_over_is_deleted_by_one_of_three_copies_and_what_is_not_by_none() -> anyhow::Result<()> {
    const ENDED: usize = 8;
    let stack = busy().env_all("EPRO_TELEMETRY__METRICS", "otlp").env_all("OTEL_METRIC_EXPORT_INTERVAL", "200");
    let stack = stack.start().await?;
    let client = stack.client();
    let live = client.open_session(PATIENT.login, PATIENT.pin).await?;
    let token = live.access.clone();
    for _ in 0..ENDED {
        submitted(&client, &token, PATIENT).await?;
        let session = client.open_session(NEIGHBOUR.login, NEIGHBOUR.pin).await?;
        client.log_out(&session.access).await?.expect_status(204)?;
    }
    let mut database = stack.database.connect().await?;
    sqlx::query("UPDATE clinical.idempotency SET created_at = now() - interval '2 years'")
        .execute(&mut database)
        .await?;
    let counts = async || {
        let counts = "SELECT (SELECT count(*) FROM identity.session), (SELECT count(*) FROM identity.refresh_token),
                             (SELECT count(*) FROM clinical.idempotency)";
        Ok(sqlx::query_as::<_, (i64, i64, i64)>(counts).fetch_one(&mut database).await?)
    };
    assert_eq!(poll::until(DEADLINE, counts, |counts| *counts == (1, 1, 0)).await?, (1, 1, 0));
    client.refresh(&live.refresh).await?.expect_status(200)?;

    let of_table = |table| ("epro.housekeeping.deleted", Some(("epro.housekeeping.table", table)));
    for (counter, table) in [of_table("session"), of_table("refresh_token"), ("epro.idempotency.deleted", None)] {
        let attributes: Vec<_> = table.into_iter().collect();
        let expected = i64::try_from(ENDED)?;
        let count = async || Ok(stack.otlp.sum(counter, &attributes));
        assert_eq!(poll::until(DEADLINE, count, |count| *count >= expected).await?, expected, "{counter} {table:?}");
    }
    no_complaint(&stack);
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn each_gateway_has_limits_of_its_own_and_wrong_pins_count_wherever_they_are_tried() -> anyhow::Result<()> {
    let stack = Stack::builder()
        .copies(COPIES)
        .env(Service::Gateway, "EPRO_RATE_LIMITS__LOGIN__BURST", "2")
        .env(Service::Gateway, "EPRO_RATE_LIMITS__LOGIN__PER_MINUTE", "1")
        .start()
        .await?;
    let attempt = async |gateway: usize, login: &str, pin: &str| {
        stack.clients()[gateway].post("/v1/sessions", &json!({"login": login, "pin": pin})).await
    };
    let [victim, other] = [&PATIENTS[0], &PATIENTS[1]];
    // The first five attempts are wrong and lock the login. The sixth is right.
    for number in 0..5 {
        problem(&attempt(number % COPIES, victim.login, "975310").await?, 401, "wrong-credentials")?;
    }
    problem(&attempt(2, victim.login, victim.pin).await?, 401, "wrong-credentials")?;
    for gateway in 0..COPIES {
        problem(&attempt(gateway, victim.login, victim.pin).await?, 429, "throttled")?;
    }
    for gateway in 0..COPIES {
        attempt(gateway, other.login, other.pin).await?.expect_status(200)?;
    }
    stack.stop().await?;
    Ok(())
}
