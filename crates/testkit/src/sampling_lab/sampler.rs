//! The samplers to compare, as settings of the services.

use std::fmt;
use std::path::Path;

use super::load::Route;
use super::strategies::Strategy;

/// The sampler of one run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Sampler {
    AlwaysOn,
    Ratio(f64),
    /// Keeps this ratio of all traces, and all traces with a failure.
    Errors(f64),
    /// Follows a server of sampling strategies, whose part the lab plays.
    Jaeger(Strategy),
    /// Keeps a ratio, with rules that override it for single routes.
    Rules {
        otherwise: f64,
        submissions: f64,
    },
}

/// The route of which [`Sampler::Rules`] keeps nothing.
const NEVER: Route = Route::Assignments;

impl Sampler {
    /// The ratio of a route's traces that is kept by chance; `None` when it is not known.
    pub fn share(self, route: Route) -> Option<f64> {
        match self {
            Self::AlwaysOn => Some(1.0),
            Self::Ratio(ratio) | Self::Errors(ratio) | Self::Jaeger(Strategy::Probability(ratio)) => Some(ratio),
            Self::Jaeger(Strategy::PerSecond(_)) => None,
            Self::Rules { submissions, .. } if route == Route::Submit => Some(submissions),
            Self::Rules { .. } if route == NEVER => Some(0.0),
            Self::Rules { otherwise, .. } => Some(otherwise),
        }
    }

    /// The variables that set this sampler in all services. `strategies` is the URL of a strategy server, `rules` the
    /// path of a rules file.
    pub(super) fn environment(self, strategies: &str, rules: &Path) -> Vec<(&'static str, String)> {
        const NAME: &str = "OTEL_TRACES_SAMPLER";
        const ARGUMENT: &str = "OTEL_TRACES_SAMPLER_ARG";
        let named = |name: &str, argument: String| vec![(NAME, name.to_owned()), (ARGUMENT, argument)];
        match self {
            Self::AlwaysOn => named("parentbased_always_on", String::new()),
            Self::Ratio(ratio) => named("parentbased_traceidratio", ratio.to_string()),
            Self::Errors(ratio) => named("errors", ratio.to_string()),
            Self::Jaeger(_) => {
                let argument = format!("endpoint={strategies},pollingIntervalMs=1000,initialSamplingRate=0");
                named("parentbased_jaeger_remote", argument)
            }
            Self::Rules { otherwise, .. } => {
                let mut environment = named("parentbased_traceidratio", otherwise.to_string());
                environment.push(("EPRO_TELEMETRY__RULES_FILE", rules.display().to_string()));
                environment
            }
        }
    }

    /// The content of the rules file, if the sampler has one.
    pub(super) fn rules(self) -> Option<String> {
        let Self::Rules { submissions, .. } = self else { return None };
        let (submit, never) = (Route::Submit.name(), NEVER.name());
        Some(format!("rules:\n  - {{span: {submit}, keep: {submissions}}}\n  - {{span: {never}, keep: never}}\n"))
    }
}

impl fmt::Display for Sampler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlwaysOn => f.write_str("always_on"),
            Self::Ratio(ratio) => write!(f, "ratio {ratio}"),
            Self::Errors(ratio) => write!(f, "errors {ratio}"),
            Self::Jaeger(Strategy::Probability(ratio)) => write!(f, "jaeger_remote {ratio}"),
            Self::Jaeger(Strategy::PerSecond(traces)) => write!(f, "jaeger_remote {traces}/s"),
            Self::Rules { submissions, .. } => write!(f, "rules, submissions {submissions}"),
        }
    }
}
