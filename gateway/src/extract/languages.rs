use std::convert::Infallible;

use axum::extract::FromRequestParts;
use http::header::ACCEPT_LANGUAGE;
use http::request::Parts;

/// Maximum number of a reader's languages that are looked up.
const MOST: usize = 10;

/// The languages of a reader: BCP 47, in lower case, most preferred first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Languages(pub(crate) Vec<String>);

impl Languages {
    /// The languages of an `Accept-Language` header. Each tag is followed by its shorter forms, as in the lookup of RFC
    /// 4647: `de-at`, then `de`.
    fn of(accepted: &str) -> Self {
        let mut languages = Vec::new();
        for tag in accept_language::parse(accepted).into_iter().map(|tag| tag.to_lowercase()) {
            let ends = tag.match_indices('-').map(|(index, _)| index).chain([tag.len()]).collect::<Vec<_>>();
            for language in ends.into_iter().rev().map(|end| tag[..end].to_owned()) {
                if languages.len() < MOST && !languages.contains(&language) {
                    languages.push(language);
                }
            }
        }
        Self(languages)
    }
}

/// A header that cannot be read is ignored.
impl<S: Sync> FromRequestParts<S> for Languages {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let header = parts.headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        Ok(Self::of(header.unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_of_a_countrys_language_reads_the_language() {
        for (accepted, languages) in [
            ("", vec![]),
            ("de-AT, en;q=0.8", vec!["de-at", "de", "en"]),
            ("en;q=0.5, DE;q=0.9", vec!["de", "en"]),
            ("zh-Hant-TW", vec!["zh-hant-tw", "zh-hant", "zh"]),
            ("de, de-CH, de", vec!["de", "de-ch"]),
        ] {
            assert_eq!(Languages::of(accepted).0, languages, "{accepted}");
        }
    }

    #[test]
    fn no_list_is_too_long() {
        let many: Vec<_> = (0..1000).map(|number| format!("x{number}")).collect();
        assert_eq!(Languages::of(&many.join(",")).0.len(), MOST);
    }
}
