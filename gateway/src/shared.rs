use std::sync::Arc;

use crate::clients::{Data, Peers, Report, User};
use crate::limit::Rates;
use crate::proxies::Proxies;

/// What all routes share.
#[derive(Debug, Clone)]
pub(crate) struct Shared {
    pub(crate) user: User,
    pub(crate) report: Report,
    pub(crate) data: Data,
    pub(crate) peers: Peers,
    pub(crate) rates: Arc<Rates>,
    pub(crate) proxies: Arc<Proxies>,
    /// Address at which people can look at a trace. The id is appended.
    pub(crate) trace_url: Option<Arc<str>>,
}
