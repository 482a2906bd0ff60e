//! `OTEL_TRACES_SAMPLER` and its argument.

use std::time::Duration;

use super::Builder;
use crate::config::{Errors, JaegerRemote, Sampler};

const ARGUMENT: &str = "OTEL_TRACES_SAMPLER_ARG";

/// The kind of sampler, without its argument.
#[derive(Clone, Copy)]
enum Kind {
    AlwaysOn,
    AlwaysOff,
    Ratio,
    JaegerRemote,
    Errors,
}

const NAMES: [(&str, (Kind, bool)); 9] = [
    ("always_on", (Kind::AlwaysOn, false)),
    ("always_off", (Kind::AlwaysOff, false)),
    ("traceidratio", (Kind::Ratio, false)),
    ("jaeger_remote", (Kind::JaegerRemote, false)),
    ("parentbased_always_on", (Kind::AlwaysOn, true)),
    ("parentbased_always_off", (Kind::AlwaysOff, true)),
    ("parentbased_traceidratio", (Kind::Ratio, true)),
    ("errors", (Kind::Errors, true)),
    ("parentbased_jaeger_remote", (Kind::JaegerRemote, true)),
];

impl<F: Fn(&str) -> Option<String>> Builder<'_, F> {
    /// The sampler, and whether it decides on roots only.
    pub(super) fn sampler(&self) -> (Sampler, bool) {
        let Some((kind, follows_parents)) = self.variables.choice("OTEL_TRACES_SAMPLER", &NAMES) else {
            return (self.config.sampler.clone(), true);
        };
        let sampler = match kind {
            Kind::AlwaysOn => Sampler::AlwaysOn,
            Kind::AlwaysOff => Sampler::AlwaysOff,
            Kind::Ratio => Sampler::Ratio(self.variables.parsed(ARGUMENT, RATIO, ratio).unwrap_or(1.0)),
            Kind::Errors => Sampler::Errors(self.errors()),
            Kind::JaegerRemote => Sampler::JaegerRemote(self.jaeger_remote()),
        };
        (sampler, follows_parents)
    }

    fn errors(&self) -> Errors {
        let mut errors = match &self.config.sampler {
            Sampler::Errors(errors) => errors.clone(),
            _ => Errors::default(),
        };
        if let Some(ratio) = self.variables.parsed(ARGUMENT, RATIO, ratio) {
            errors.ratio = ratio;
        }
        errors
    }

    /// `endpoint=http://jaeger:5779,pollingIntervalMs=5000,initialSamplingRate=0.25`, each of which may be missing.
    fn jaeger_remote(&self) -> JaegerRemote {
        let mut remote = match &self.config.sampler {
            Sampler::JaegerRemote(remote) => remote.clone(),
            _ => JaegerRemote::default(),
        };
        for (key, value) in self.variables.pairs(ARGUMENT) {
            let is_read = match key.as_str() {
                "endpoint" => {
                    remote.endpoint.clone_from(&value);
                    Some(())
                }
                "pollingIntervalMs" => milliseconds(&value).map(|interval| remote.interval = interval),
                "initialSamplingRate" => ratio(&value).map(|ratio| remote.initial_ratio = ratio),
                _ => None,
            };
            if is_read.is_none() {
                self.variables.warn(format!("{key}={value} in {ARGUMENT} is ignored: it has no meaning"));
            }
        }
        remote
    }
}

const RATIO: &str = "a ratio from 0 to 1";

fn ratio(text: &str) -> Option<f64> {
    text.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio))
}

fn milliseconds(text: &str) -> Option<Duration> {
    text.parse().ok().filter(|number| *number > 0).map(Duration::from_millis)
}
