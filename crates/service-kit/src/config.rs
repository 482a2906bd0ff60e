mod did_you_mean;
mod variables;

use std::collections::HashMap;
use std::path::Path;

use config::{Config, File, FileFormat, Source as _, Value};
use serde::de::DeserializeOwned;

pub(crate) use variables::Ignored;

/// Why a configuration cannot be used. It names the key and where it came from.
pub type ConfigError = config::ConfigError;

/// A service's configuration.
#[derive(Debug)]
pub(crate) struct Loaded<H, C> {
    /// The settings that all services have.
    pub(crate) host: H,
    /// The other settings of this service.
    pub(crate) own: C,
    /// Variables that are ignored.
    pub(crate) ignored: Vec<Ignored>,
}

/// Reads a service's configuration: its defaults, then the file if one is given, then environment variables such as
/// `EPRO_DATABASE__URL` for `database.url`. The keys `of_host` are read as `H`, all others as `C`.
pub(crate) fn load<H: DeserializeOwned, C: DeserializeOwned>(
    of_host: &[&str],
    defaults: &str,
    file: Option<&Path>,
) -> Result<Loaded<H, C>, ConfigError> {
    let mut builder = Config::builder().add_source(File::from_str(defaults, FileFormat::Yaml));
    if let Some(file) = file {
        builder = builder.add_source(File::from(file).format(FileFormat::Yaml));
    }
    let written = builder.build()?;
    let (variables, ignored) = variables::read(std::env::vars_os(), &written)?;
    let mut builder = Config::builder().add_source(written);
    for (key, value) in variables {
        builder = builder.set_override(key, value)?;
    }
    let all = builder.build()?.collect()?;
    let (host, own): (HashMap<_, _>, HashMap<_, _>) = all.into_iter().partition(|(key, _)| of_host.contains(&&**key));
    Ok(Loaded { host: read(host, of_host)?, own: read(own, of_host)?, ignored })
}

fn read<T: DeserializeOwned>(settings: HashMap<String, Value>, of_host: &[&str]) -> Result<T, ConfigError> {
    let read = T::deserialize(Value::from(settings));
    read.map_err(|error| {
        let error = did_you_mean::with_more_keys(&error.to_string(), of_host);
        ConfigError::Message(did_you_mean::with_hint(&error))
    })
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::{Loaded, load};

    const OF_HOST: [&str; 2] = ["listen", "telemetry"];

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its keys are looked at")]
    struct Host {
        listen: Option<String>,
        telemetry: telemetry::Config,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Own {
        concurrency: u32,
    }

    fn read(yaml: &str) -> Result<Loaded<Host, Own>, String> {
        load(&OF_HOST, &format!("concurrency: 1\n{yaml}"), None).map_err(|error| error.to_string())
    }

    #[test]
    fn a_service_has_settings_of_its_own_beside_those_of_all() {
        let read = read("telemetry: {name: shop}").unwrap();
        assert_eq!((read.host.telemetry.name.as_str(), read.own.concurrency), ("shop", 1));
    }

    #[test]
    fn an_unknown_key_is_refused_with_the_nearest_known_one() {
        for (yaml, nearest) in [
            ("telemetry: {name: shop}\nlistn: 127.0.0.1:0", "listen"),
            ("telemetry: {name: shop}\nconcurency: 2", "concurrency"),
            ("telemetry: {samplr: 1.0}", "sampler"),
            ("telemetry: {sampler: {errors: {rate: 1.0}}}", "ratio"),
            ("telemetry: {sampler: {error: {ratio: 1.0}}}", "errors"),
        ] {
            let error = read(yaml).unwrap_err();
            assert!(error.ends_with(&format!("did you mean `{nearest}`?")), "{error}");
        }
    }
}
