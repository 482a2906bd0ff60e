//! It is detected when somebody prevents new seals.

use e2e::{PATIENT, submitted};

use super::{all_sealed, execute, sealing, verify};

#[tokio::test]
async fn an_event_that_waits_too_long_for_its_seal_is_found() -> anyhow::Result<()> {
    let stack = sealing().await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    let mut administrator = stack.database.connect().await?;
    execute(&mut administrator, "REVOKE INSERT ON clinical.audit_seal FROM data_svc").await?;
    submitted(&client, &token, PATIENT).await?;
    let enrolment: uuid::Uuid =
        sqlx::query_scalar("SELECT enrolment_id FROM clinical.audit_event").fetch_one(&mut administrator).await?;
    assert_eq!(verify(&stack, &[]).await?.0, Some(0), "it may wait for a while");
    let waited = format!("an event has waited too long for its seal: enrolment {enrolment}, event 1");
    assert_eq!(verify(&stack, &["--unsealed-after", "1ms"]).await?, (Some(1), waited));

    execute(&mut administrator, "GRANT INSERT ON clinical.audit_seal TO data_svc").await?;
    all_sealed(&stack).await?;
    assert_eq!(verify(&stack, &["--unsealed-after", "1ms"]).await?.0, Some(0));
    stack.stop().await?;
    Ok(())
}
