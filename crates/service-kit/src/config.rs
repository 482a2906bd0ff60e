use std::path::Path;

use config::{Config, Environment, File, FileFormat};
use serde::de::DeserializeOwned;

/// Why a configuration cannot be used: it names the key and where it came from.
pub type ConfigError = config::ConfigError;

/// Reads a service's configuration: its defaults, then the file if one is given, then variables such
/// as `EPRO_DATABASE__URL` for `database.url`.
pub(crate) fn load<C: DeserializeOwned>(defaults: &str, file: Option<&Path>) -> Result<C, ConfigError> {
    let mut builder = Config::builder().add_source(File::from_str(defaults, FileFormat::Yaml));
    if let Some(file) = file {
        builder = builder.add_source(File::from(file).format(FileFormat::Yaml));
    }
    let variables = Environment::with_prefix("EPRO").prefix_separator("_").separator("__").ignore_empty(true);
    builder.add_source(variables).build()?.try_deserialize()
}
