use std::time::{Duration, Instant};

use super::copies::Copies;
use super::ledger::Ledger;
use crate::poll;
use crate::proxy::Proxy;

/// How long a recovery is waited for; beyond [`super::Plan::recovery`] it counts as none anyway.
const PATIENCE: Duration = Duration::from_mins(1);

/// How long it takes from `healed` until what was cut off is spoken to again, both gateways are ready and have acknowledged
/// a report, and both providers have another message; nothing if it does not come to that.
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

/// Messages that the providers have taken.
fn sent(copies: &Copies) -> (usize, usize) {
    (copies.stack.sms.journal().all().len(), copies.stack.smtp.journal().all().len())
}
