//! Reads settings from environment variables.

use std::collections::HashMap;
use std::ffi::OsString;

use config::{Config, ConfigError, Value, ValueKind};

use super::did_you_mean::nearest;

const PREFIX: &str = "EPRO_";
/// Separates a block from what is in it.
const SEPARATOR: &str = "__";

/// A variable that looks like a setting but is none. Orchestrators set such variables: for a Service named
/// `epro-gateway`, Kubernetes gives every container an `EPRO_GATEWAY_PORT`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ignored {
    pub(crate) name: String,
    /// The variable of the most similar setting.
    pub(crate) nearest: Option<String>,
}

/// The settings in the variables, by dotted keys, and the variables that are ignored: those without a `__` that name no
/// top-level setting. A variable with a `__` is meant for us, so a mistake in it is an error.
///
/// # Errors
/// When a value is not text.
pub(super) fn read(
    variables: impl Iterator<Item = (OsString, OsString)>,
    known: &Config,
) -> Result<(HashMap<String, String>, Vec<Ignored>), ConfigError> {
    let known = leaves(known);
    let (mut settings, mut ignored) = (HashMap::new(), Vec::new());
    for (name, value) in variables {
        let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else { continue };
        if value.is_empty() {
            continue;
        }
        let path = name[PREFIX.len()..].to_lowercase();
        if !path.contains(SEPARATOR) && !known.contains(&path) {
            let nearest = nearest(&path, known.iter().map(String::as_str));
            let nearest = nearest.map(|path| format!("{PREFIX}{}", path.to_uppercase()));
            ignored.push(Ignored { name: name.to_owned(), nearest });
            continue;
        }
        // The error does not quote the value, which may be a password.
        let value = value.into_string().map_err(|_| ConfigError::Message(format!("{name} is not UTF-8")))?;
        settings.insert(path.replace(SEPARATOR, "."), value);
    }
    ignored.sort_by(|a, b| a.name.cmp(&b.name));
    Ok((settings, ignored))
}

/// The known settings as variables name them, in lower case and without the prefix.
fn leaves(known: &Config) -> Vec<String> {
    let mut found = Vec::new();
    collect("", &known.cache, &mut found);
    found
}

fn collect(path: &str, value: &Value, found: &mut Vec<String>) {
    let ValueKind::Table(table) = &value.kind else { return found.push(path.to_owned()) };
    for (key, value) in table {
        let path = if path.is_empty() { key.clone() } else { format!("{path}{SEPARATOR}{key}") };
        collect(&path, value, found);
    }
}

#[cfg(test)]
mod tests {
    use config::{File, FileFormat};

    use super::*;

    fn read(variables: &[(&str, &str)]) -> (HashMap<String, String>, Vec<Ignored>) {
        let defaults = "{listen: x, database: {url: x, max_connections: 1}}";
        let known = Config::builder().add_source(File::from_str(defaults, FileFormat::Yaml)).build().unwrap();
        super::read(variables.iter().map(|(name, value)| (name.into(), value.into())), &known).unwrap()
    }

    #[test]
    fn a_variable_addresses_a_setting_or_a_block_by_two_underscores() {
        let (settings, ignored) = read(&[
            ("EPRO_LISTEN", "a"),
            ("EPRO_DATABASE__URL", "b"),
            ("EPRO_MESH__CA", "c"),
            ("EPRO_DATABASE__MAX_CONNECTIONS", ""),
            ("PATH", "d"),
        ]);
        let said = [("listen", "a"), ("database.url", "b"), ("mesh.ca", "c")];
        assert_eq!(settings, said.map(|(key, value)| (key.to_owned(), value.to_owned())).into());
        assert_eq!(ignored, []);
    }

    #[test]
    fn another_variable_is_ignored_and_the_nearest_setting_named() {
        let ignored =
            |name: &str, nearest: Option<&str>| Ignored { name: name.to_owned(), nearest: nearest.map(str::to_owned) };
        let (settings, found) = read(&[
            ("EPRO_DATABASE_URL", "a"),
            ("EPRO_GATEWAY_SERVICE_HOST", "b"),
            ("EPRO_DATABASE", "c"),
            ("EPRO_LISTN", "d"),
        ]);
        assert_eq!(settings, HashMap::new());
        let expected = [
            ignored("EPRO_DATABASE", Some("EPRO_DATABASE__URL")),
            ignored("EPRO_DATABASE_URL", Some("EPRO_DATABASE__URL")),
            ignored("EPRO_GATEWAY_SERVICE_HOST", None),
            ignored("EPRO_LISTN", Some("EPRO_LISTEN")),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_value_that_is_no_text_is_an_error_that_does_not_quote_it() {
        use std::os::unix::ffi::OsStringExt;
        let value = OsString::from_vec(b"secret\xff".to_vec());
        let known = Config::default();
        let error = super::read([("EPRO_DATABASE__URL".into(), value)].into_iter(), &known).unwrap_err();
        assert_eq!(error.to_string(), "EPRO_DATABASE__URL is not UTF-8");
    }
}
