use std::cell::RefCell;
use std::time::Duration;

/// The standard variables. An invalid value counts as not set and adds a warning: a service must not stop because of a
/// typing error in its telemetry.
pub(super) struct Variables<F> {
    read: F,
    warnings: RefCell<Vec<String>>,
}

impl<F: Fn(&str) -> Option<String>> Variables<F> {
    pub(super) fn new(read: F) -> Self {
        Self { read, warnings: RefCell::default() }
    }

    pub(super) fn warn(&self, warning: String) {
        self.warnings.borrow_mut().push(warning);
    }

    pub(super) fn warnings(self) -> Vec<String> {
        self.warnings.into_inner()
    }

    /// By the specification an empty variable counts as not set.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        (self.read)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    /// Parses a variable. An invalid value adds a warning and gives `None`.
    pub(super) fn parsed<T>(&self, name: &str, meaning: &str, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let text = self.text(name)?;
        let value = parse(&text);
        if value.is_none() {
            self.warn(format!("{name} is ignored: {text:?} is not {meaning}"));
        }
        value
    }

    /// Only `true` is true. A word that is neither `true` nor `false` adds a warning.
    pub(super) fn boolean(&self, name: &str) -> Option<bool> {
        let text = self.text(name)?.to_ascii_lowercase();
        if text != "true" && text != "false" {
            self.warn(format!("{name} counts as false: {text:?} is neither true nor false"));
        }
        Some(text == "true")
    }

    pub(super) fn number<N: std::str::FromStr>(&self, name: &str) -> Option<N> {
        self.parsed(name, "a whole number", |text| text.parse().ok())
    }

    pub(super) fn milliseconds(&self, name: &str) -> Option<Duration> {
        self.parsed(name, "a number of milliseconds", |text| text.parse().ok().map(Duration::from_millis))
    }

    /// One of a few words, in any case.
    pub(super) fn choice<T: Copy>(&self, name: &str, words: &[(&str, T)]) -> Option<T> {
        let known: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        self.parsed(name, &format!("one of {}", known.join(", ")), |text| {
            words.iter().find(|(word, _)| word.eq_ignore_ascii_case(text)).map(|(_, value)| *value)
        })
    }

    /// `a=1,b=2`, percent-encoded. The values may be secret, so that a warning does not show them.
    pub(super) fn pairs(&self, name: &str) -> Vec<(String, String)> {
        let text = self.text(name).unwrap_or_default();
        let pairs = text.split(',').map(str::trim).filter(|pair| !pair.is_empty());
        let pair = |pair: &str| {
            let pair = pair.split_once('=').filter(|(key, _)| !key.trim().is_empty());
            let decoded = pair.and_then(|(key, value)| Some((decoded(key)?, decoded(value)?)));
            if decoded.is_none() {
                self.warn(format!("a part of {name} is ignored: it is not of the form key=value"));
            }
            decoded
        };
        pairs.filter_map(pair).collect()
    }
}

fn decoded(text: &str) -> Option<String> {
    percent_encoding::percent_decode_str(text.trim()).decode_utf8().ok().map(Into::into)
}
