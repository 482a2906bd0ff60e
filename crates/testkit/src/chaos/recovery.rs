use std::time::{Duration, Instant};

use super::copies::Copies;
use super::ledger::Ledger;
use crate::poll;
use crate::proxy::Proxy;

/// The longest wait for a recovery. More than [`super::Plan::recovery`] counts as none anyway.
const PATIENCE: Duration = Duration::from_mins(1);

/// How long it takes after `healed` until the partitioned peer is reached again, both gateways are ready and have
/// acknowledged a report, and both providers have received another message. `None` if that does not happen.
pub(super) async fn wait(
    copies: &Copies,
    ledger: &Ledger,
    proxy: &Proxy,
    healed: Instant,
) -> anyhow::Result<Option<Duration>> {
    let clients = copies.clients();
    let before = sent(copies);
    let works = async || {
        for client in &clients {
            if !client.get("/readyz", None).await.is_ok_and(|answer| answer.status == 200) {
                return Ok(false);
            }
        }
        let now = sent(copies);
        Ok(proxy.is_in_use() && ledger.acknowledged_since(healed) && now.0 > before.0 && now.1 > before.1)
    };
    let recovered = poll::until(PATIENCE, works, |works| *works).await?;
    Ok(recovered.then(|| healed.elapsed()))
}

/// The number of messages that each provider has received.
fn sent(copies: &Copies) -> (usize, usize) {
    (copies.stack.sms.journal().all().len(), copies.stack.smtp.journal().all().len())
}
