use std::time::Duration;

use serde::Deserialize;

/// A rule for traces whose root span has this name. It takes precedence over the sampler. If several rules match,
/// `keep` and `slow` each come from the first of them that sets it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The name of a span, such as `GET /orders/{id}` or `shop.v1.CartService/AddItem`; a `*` at its end matches any
    /// text.
    pub span: String,
    /// Which share of the traces that begin with such a span is kept: a ratio, or `always` or `never`.
    #[serde(default)]
    pub keep: Option<Share>,
    /// The duration from which such a request counts as a failure for `sampler: errors`.
    #[serde(default, with = "humantime_serde")]
    pub slow: Option<Duration>,
}

/// A ratio from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(try_from = "RawShare")]
pub struct Share(pub(crate) f64);

#[derive(Deserialize)]
#[serde(untagged)]
enum RawShare {
    Number(f64),
    Text(String),
}

impl TryFrom<RawShare> for Share {
    type Error = String;

    fn try_from(raw: RawShare) -> Result<Self, String> {
        match raw {
            RawShare::Number(ratio) if (0.0..=1.0).contains(&ratio) => Ok(Self(ratio)),
            RawShare::Text(text) if text == "always" => Ok(Self(1.0)),
            RawShare::Text(text) if text == "never" => Ok(Self(0.0)),
            RawShare::Number(ratio) => Err(format!("unknown share {ratio}: give a ratio from 0 to 1")),
            RawShare::Text(text) => Err(format!("unknown share {text:?}: give a ratio from 0 to 1, always or never")),
        }
    }
}
