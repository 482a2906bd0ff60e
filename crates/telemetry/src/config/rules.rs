use std::time::Duration;

use serde::Deserialize;

/// What holds for traces whose root has this name, above the sampler. Of several rules the first one that matches and says
/// something counts.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The name of a span, such as `GET /orders/{id}` or `shop.v1.CartService/AddItem`; `*` at its end is anything.
    pub span: String,
    /// Which share of the traces that begin with such a span is kept: a ratio, or `always` or `never`.
    #[serde(default)]
    pub keep: Option<Share>,
    /// How long such a request may take until it counts as a failure to `sampler: errors`.
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
