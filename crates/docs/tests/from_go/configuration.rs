use std::path::Path;

use config::ConfigError;
use serde::Deserialize;

use super::settings;

// ANCHOR: settings
#[derive(Deserialize)]
pub(crate) struct Settings {
    pub(crate) telemetry: telemetry::Config,
}

pub(crate) fn read(file: &Path) -> Result<Settings, ConfigError> {
    config::Config::builder().add_source(config::File::from(file)).build()?.try_deserialize()
}
// ANCHOR_END: settings

#[test]
fn the_block_has_go_zeros_keys() -> anyhow::Result<()> {
    let telemetry = settings("sampler: 1.0")?.telemetry;
    assert_eq!(telemetry.endpoint.as_deref(), Some("http://otel-collector:4317"));
    assert_eq!(telemetry.batcher, telemetry::Batcher::OtlpGrpc);
    assert_eq!(telemetry.sampler, telemetry::Sampler::Ratio(1.0));
    Ok(())
}

#[test]
fn a_key_that_is_not_known_is_refused() -> anyhow::Result<()> {
    let file = tempfile::Builder::new().suffix(".yaml").tempfile()?;
    std::fs::write(file.path(), "telemetry: {name: shop, samplr: 0.05}\n")?;
    let error = read(file.path()).err().map(|error| error.to_string()).unwrap_or_default();
    assert!(error.contains("unknown field `samplr`"), "{error}");
    Ok(())
}
