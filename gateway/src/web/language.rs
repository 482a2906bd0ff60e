//! The languages of the pages.

use std::sync::{Arc, LazyLock};

use axum::extract::{Form, State};
use axum::response::{AppendHeaders, IntoResponse, Redirect};
use http::HeaderMap;
use http::header::{ACCEPT_LANGUAGE, SET_COOKIE};
use minijinja::value::Serde;
use minijinja::{Value, context};
use serde::Deserialize;

use super::Web;
use super::refusal::Refusal;
use super::session::{Cookies, local_path};
use crate::problem::Problem;

/// A language of the pages. To add one, write `words/<code>.json` and add its line here.
#[derive(Debug)]
pub(crate) struct Language {
    /// BCP 47.
    pub(crate) code: &'static str,
    /// The name of the language, in the language itself.
    name: &'static str,
    words: LazyLock<Value>,
}

macro_rules! language {
    ($code:literal, $name:literal) => {
        Language {
            code: $code,
            name: $name,
            words: LazyLock::new(|| read(include_str!(concat!("../../words/", $code, ".json")))),
        }
    };
}

static LANGUAGES: [Language; 2] = [language!("en", "English"), language!("de", "Deutsch")];

/// The words of a file. If the file cannot be read there are no words, but then a test fails.
fn read(file: &str) -> Value {
    Value::from(Serde(serde_json::from_str::<serde_json::Value>(file).unwrap_or_default()))
}

impl Language {
    pub(crate) const ALL: &[Self] = &LANGUAGES;

    fn named(code: &str) -> Option<&'static Self> {
        LANGUAGES.iter().find(|language| language.code == code)
    }

    /// The language that the reader chose, else the first language of the browser that is available.
    pub(super) fn of(cookies: &Cookies, headers: &HeaderMap) -> &'static Self {
        let chosen = cookies.language(headers);
        if let Some(language) = chosen.as_deref().and_then(Self::named) {
            return language;
        }
        let wanted = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        Self::wanted(wanted)
    }

    /// The first available language of `Accept-Language`. `de-AT` selects `de`.
    fn wanted(accepted: &str) -> &'static Self {
        let primary = |tag: &str| tag.split('-').next().unwrap_or_default().to_lowercase();
        let known = accept_language::parse(accepted).into_iter().find_map(|tag| Self::named(&primary(&tag)));
        known.unwrap_or(&LANGUAGES[0])
    }

    pub(crate) fn words(&self) -> Value {
        self.words.clone()
    }

    pub(super) fn in_short(&self) -> Value {
        context! { code => self.code, name => self.name }
    }
}

/// The form in which a reader chooses a language.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Choice {
    language: String,
    next: String,
}

/// Remembers the language in a cookie.
pub(super) async fn choose(
    State(web): State<Arc<Web>>,
    choice: Result<Form<Choice>, axum::extract::rejection::FormRejection>,
) -> Result<impl IntoResponse, Refusal> {
    let Form(choice) = choice.map_err(|_| Problem::BAD_REQUEST)?;
    let language = Language::named(&choice.language).ok_or(Problem::BAD_REQUEST)?;
    let cookie = web.cookies.of_language(language.code);
    Ok((AppendHeaders([(SET_COOKIE, cookie)]), Redirect::to(local_path(&choice.next))))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// The names of all words, except those of problems: a problem without words is shown in English.
    fn names(words: &Value, path: &str) -> Vec<String> {
        match words {
            Value::Object(words) => words
                .iter()
                .filter(|(name, _)| *name != "problems")
                .flat_map(|(name, words)| names(words, &format!("{path}.{name}")))
                .collect(),
            _ => vec![path.to_owned()],
        }
    }

    #[test]
    fn every_language_has_the_same_words() {
        let all = LANGUAGES.each_ref().map(|language| {
            let words = serde_json::to_value(language.words()).unwrap();
            let mut names = names(&words, "");
            names.sort();
            (language.code, names)
        });
        let (_, first) = &all[0];
        assert!(first.len() > 100, "{first:?}");
        for (code, names) in &all {
            assert_eq!(names, first, "{code}");
        }
    }

    #[test]
    fn a_reader_gets_the_first_language_that_there_is() {
        for (accepted, code) in [
            ("", "en"),
            ("de", "de"),
            ("de-AT,en;q=0.8", "de"),
            ("fr, de;q=0.5, en;q=0.7", "en"),
            ("fr;q=1, DE-ch;q=0.5", "de"),
            ("*", "en"),
            ("garbage;;q=,", "en"),
        ] {
            assert_eq!(Language::wanted(accepted).code, code, "{accepted}");
        }
    }
}
