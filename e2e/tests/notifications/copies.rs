//! Several copies of notify-svc share the work.

use std::collections::BTreeSet;
use std::time::Duration;

use e2e::{DEADLINE, NURSES_PER_SITE, PATIENT, submitted};
use testkit::stack::Service;
use testkit::{poll, sms};

use super::{eager, recorded, wait_for_count};

#[tokio::test]
async fn two_copies_of_notify_svc_with_a_data_svc_each_share_the_work_and_send_nothing_twice() -> anyhow::Result<()> {
    const REPORTS: usize = 12;
    const MESSAGES: usize = REPORTS * NURSES_PER_SITE;
    let mut stack = eager().env(Service::NotifySvc, "EPRO_DELIVERY__CONCURRENCY", "2").start().await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    stack.kill(Service::NotifySvc).await?;
    for _ in 0..REPORTS {
        submitted(&client, &token, PATIENT).await?;
    }
    stack.sms.respond_with(sms::Behaviour::AcceptAfter(Duration::from_millis(500)));
    stack.restart(Service::NotifySvc).await?;
    let mut data = stack.replicate(Service::DataSvc, &[]).await?;
    let mut copy = stack.replicate(Service::NotifySvc, &[("EPRO_DATA_SVC__URL", data.url())]).await?;
    wait_for_count(&stack, "%", "delivered", 2 * MESSAGES).await?;
    assert_eq!((stack.sms.journal().all().len(), stack.smtp.journal().all().len()), (MESSAGES, MESSAGES));

    let traces = poll::until(
        DEADLINE,
        async || Ok(stack.otlp.traces()),
        |traces| {
            traces.iter().map(recorded).sum::<usize>() == 2 * MESSAGES
                && traces.iter().all(|trace| trace.orphans().is_empty())
        },
    )
    .await?;
    let mut copies = BTreeSet::new();
    for trace in &traces {
        for deliver in trace.named("deliver notification") {
            let within = trace.children(&deliver.span_id);
            assert!(within.iter().any(|span| span.name.starts_with("send ")), "a copy that was too late:\n{trace}");
            copies.insert(deliver.resource["service.instance.id"].to_string());
        }
    }
    assert_eq!(copies.len(), 2);
    assert!(copy.terminate().await?.success() && data.terminate().await?.success());
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn what_a_killed_copy_held_is_sent_by_another_when_the_lease_has_run_out() -> anyhow::Result<()> {
    let mut stack = eager()
        .env(Service::NotifySvc, "EPRO_DELIVERY__LEASE", "17s")
        .env(Service::NotifySvc, "EPRO_USER_SVC__TIMEOUT", "1s")
        .env(Service::NotifySvc, "EPRO_DATA_SVC__TIMEOUT", "1s")
        .env(Service::NotifySvc, "EPRO_SMS__TIMEOUT", "1s")
        .env(Service::NotifySvc, "EPRO_SMS__ANSWER_TIMEOUT", "3s")
        .env(Service::NotifySvc, "EPRO_SMTP__TIMEOUT", "1s")
        .env(Service::NotifySvc, "EPRO_SMTP__ANSWER_TIMEOUT", "2s")
        .start()
        .await?;
    stack.sms.respond_with(sms::Behaviour::Hang);
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    submitted(&client, &token, PATIENT).await?;
    stack.sms.journal().wait_until(DEADLINE, |messages| messages.len() == NURSES_PER_SITE).await?;
    let mut copy = stack.replicate(Service::NotifySvc, &[]).await?;
    stack.kill(Service::NotifySvc).await?;
    stack.sms.respond_with(sms::Behaviour::Accept);

    wait_for_count(&stack, "%", "delivered", 2 * NURSES_PER_SITE).await?;
    let messages = stack.sms.accepted();
    let keys: BTreeSet<_> = stack.sms.journal().all().into_iter().map(|message| message.idempotency_key).collect();
    assert_eq!((messages.len(), keys.len()), (NURSES_PER_SITE, NURSES_PER_SITE), "the provider can tell a repetition");
    assert!(copy.terminate().await?.success());
    stack.stop().await?;
    Ok(())
}
