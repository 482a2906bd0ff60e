mod did_you_mean;
mod variables;

use std::path::Path;

use config::{Config, File, FileFormat};
use serde::de::DeserializeOwned;

pub(crate) use variables::Ignored;

/// Why a configuration cannot be used. It names the key and where it came from.
pub type ConfigError = config::ConfigError;

/// Reads a service's configuration: its defaults, then the file if one is given, then environment variables such as
/// `EPRO_DATABASE__URL` for `database.url`. Also returns the variables that are ignored.
pub(crate) fn load<C: DeserializeOwned>(defaults: &str, file: Option<&Path>) -> Result<(C, Vec<Ignored>), ConfigError> {
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
    let read = builder.build()?.try_deserialize();
    let config = read.map_err(|error| ConfigError::Message(did_you_mean::with_hint(&error.to_string())))?;
    Ok((config, ignored))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::load;

    #[derive(Debug, Deserialize)]
    struct Config {
        #[expect(dead_code, reason = "only its keys are looked at")]
        telemetry: telemetry::Config,
    }

    #[test]
    fn an_unknown_key_is_refused_with_the_nearest_known_one() {
        for (yaml, nearest) in [
            ("telemetry: {samplr: 1.0}", "sampler"),
            ("telemetry: {sampler: {errors: {rate: 1.0}}}", "ratio"),
            ("telemetry: {sampler: {error: {ratio: 1.0}}}", "errors"),
        ] {
            let error = load::<Config>(yaml, None).unwrap_err().to_string();
            assert!(error.ends_with(&format!("did you mean `{nearest}`?")), "{error}");
        }
    }
}
