use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use axum::extract::FromRef;
use minijinja::Environment;
use serde::{Deserialize, Serialize};
use telemetry::Relay;

use super::session::Cookies;
use super::templates;
use crate::clients::Jaeger;
use crate::shared::Shared;

/// `service.name` of the pages' own spans.
const PAGE: &str = "page";

/// How long the export of the last spans may take at shutdown.
const LAST_SPANS: Duration = Duration::from_secs(2);

/// The block `web`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Logins that the sign-in page offers: `login:pin`, separated by commas.
    demo_logins: String,
    /// Whether a proxy in front of the gateway terminates TLS.
    behind_tls: bool,
    /// Address of the Jaeger that traces are read from. Empty: no traces are shown.
    jaeger_url: String,
    #[serde(with = "humantime_serde")]
    jaeger_timeout: Duration,
}

/// What all pages share.
#[derive(Debug)]
pub(crate) struct Web {
    pub(crate) shared: Shared,
    pub(super) templates: Environment<'static>,
    pub(super) cookies: Cookies,
    pub(super) demo_logins: Vec<DemoLogin>,
    pub(super) jaeger: Option<Jaeger>,
    /// Exports the spans that pages report.
    pub(super) relay: Relay,
}

/// A person of the demo study.
#[derive(Debug, Serialize)]
pub(crate) struct DemoLogin {
    login: String,
    pin: String,
}

impl Web {
    /// # Errors
    /// When a setting is not valid, or when demo logins are set in production.
    pub(crate) fn new(
        shared: Shared,
        config: &Config,
        over_tls: bool,
        telemetry: &telemetry::Config,
    ) -> anyhow::Result<Self> {
        let logins = config.demo_logins.split(',').filter(|login| !login.is_empty());
        let demo_logins: Vec<_> = logins.map(DemoLogin::parse).collect::<Result<_, _>>()?;
        ensure!(demo_logins.is_empty() || telemetry.environment != "production", "web.demo_logins: not in production");
        let jaeger = (!config.jaeger_url.is_empty()).then(|| Jaeger::new(&config.jaeger_url, config.jaeger_timeout));
        Ok(Self {
            shared,
            templates: templates::environment().context("read the templates")?,
            cookies: Cookies::new(over_tls || config.behind_tls),
            demo_logins,
            relay: Relay::start(telemetry, PAGE, env!("CARGO_PKG_VERSION")).context("start the relay")?,
            jaeger: jaeger.transpose().context("web.jaeger_url")?,
        })
    }
}

impl Web {
    /// Exports the last spans that pages have reported.
    pub(crate) async fn shutdown(&self) {
        self.relay.shutdown(LAST_SPANS).await;
    }
}

impl FromRef<Arc<Web>> for Shared {
    fn from_ref(web: &Arc<Web>) -> Self {
        web.shared.clone()
    }
}

impl DemoLogin {
    fn parse(text: &str) -> anyhow::Result<Self> {
        let (login, pin) = text.trim().split_once(':').context("web.demo_logins: login:pin, with commas between")?;
        Ok(Self { login: login.to_owned(), pin: pin.to_owned() })
    }
}
