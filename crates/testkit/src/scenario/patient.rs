//! The patient who sends the reports.

use std::net::SocketAddr;

use migrations::demo::PATIENTS;
use uuid::Uuid;

use super::file::Submission;
use super::phone::Phone;
use crate::client::{Client, Token};
use crate::proxy::Proxy;

/// A logged-in patient that does not borrow the [`Runner`](super::Runner).
#[derive(Debug, Clone)]
pub struct Patient {
    pub(super) token: Token,
    /// The address at which the phone reaches the gateway.
    pub(super) gateway: SocketAddr,
    /// Where the phone exports its spans.
    pub(super) otlp: String,
}

impl Patient {
    pub(super) async fn log_in(gateway: SocketAddr, edge: &Proxy, otlp: String) -> anyhow::Result<Self> {
        let client = Client::new(format!("http://{gateway}"));
        let token = client.login(PATIENTS[0].login, PATIENTS[0].pin).await?;
        Ok(Self { token, gateway: edge.address(), otlp })
    }

    /// Sends a report in a trace with this id. Returns the status of the answer, or `None` if there was none.
    pub async fn submit(&self, trace_id: Uuid) -> Option<u16> {
        let submission = Submission::default();
        Phone { patient: self, submission, baggage: None, network: None, trace_id }
            .submit()
            .await
            .map(|answer| answer.status)
    }
}
