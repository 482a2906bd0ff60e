use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use tokio::sync::OnceCell;

use super::{Service, process};
use crate::client::Operations;

/// The API as the gateway describes it: once in a process, because it is the same gateway each time.
pub(super) async fn read(binaries: &Path) -> anyhow::Result<Arc<Operations>> {
    static OPERATIONS: OnceCell<Arc<Operations>> = OnceCell::const_new();
    let read = async || {
        let gateway = binaries.join(Service::Gateway.name());
        let printed = process::run(&gateway, &["openapi"], &BTreeMap::new()).await;
        let printed = printed.with_context(|| gateway.display().to_string())?;
        let document = serde_json::from_slice(&printed.stdout).context("read the API's description")?;
        anyhow::Ok(Arc::new(Operations::of(&document)))
    };
    OPERATIONS.get_or_try_init(read).await.cloned()
}
