//! Replaces the metrics in a build without the feature `metrics`: there can be no value of [`Meters`].

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry_sdk::Resource;
use tokio::time::Instant;

use crate::config::settings::MetricExport;
use crate::export::Processor;
use crate::log::Writer;

#[derive(Debug)]
pub(crate) enum Meters {}

impl Meters {
    /// # Errors
    /// Always.
    pub(crate) fn start(_: &MetricExport, _: Resource) -> std::io::Result<Self> {
        Err(std::io::Error::other("metrics are asked for, but built without: the feature is called `metrics`"))
    }

    pub(crate) fn http_server(&self, _: Duration, _: &[KeyValue]) {
        match *self {}
    }

    pub(crate) fn rpc_server(&self, _: Duration, _: &[KeyValue]) {
        match *self {}
    }

    pub(crate) fn rpc_client(&self, _: Duration, _: &[KeyValue]) {
        match *self {}
    }

    pub(crate) fn database(&self, _: Duration, _: &[KeyValue]) {
        match *self {}
    }

    #[cfg(feature = "sqlx")]
    pub(crate) fn observe_connections(&self, _: &Arc<str>, _: u32, _: impl Fn() -> (usize, u32), _: impl Fn() -> u32) {
        match *self {}
    }

    #[cfg(feature = "sqlx")]
    pub(crate) fn connection_waited(&self, _: &Arc<str>, _: Duration, _: bool) {
        match *self {}
    }

    pub(crate) fn observe_export(&self, _: &Processor) {
        match *self {}
    }

    pub(crate) fn observe_log(&self, _: Writer) {
        match *self {}
    }

    #[expect(clippy::unused_async, reason = "where there are metrics, it waits")]
    pub(crate) async fn shutdown(&self, _: Instant) {
        match *self {}
    }
}
