//! Faults that a request asks for, so that a failure can be looked at on purpose.
//!
//! A request asks by one member of its W3C Baggage, [`BAGGAGE_KEY`], such as `user-svc/Authenticate:delay=5s`. It travels
//! through the services as baggage does, so that the one it names fails, outside of its business code. A service whose
//! `fault_injection` is off, as it is by default, neither believes nor hands on that member.

mod asked;
mod layer;

use anyhow::ensure;
use http::Response;
use tonic::Status;

pub use layer::{FaultLayer, Faulty};

/// The key of the baggage that asks for a fault. The value is `SERVICE[/RPC]:FAULT`, 64 bytes at most, where `RPC` is
/// the last part of a path and `FAULT` is `panic`, `delay=` with a duration of a minute at most (`5s`, `1s 500ms`), or
/// `error=` with the name of a gRPC code (`unavailable`). Anything else asks for nothing.
pub const BAGGAGE_KEY: &str = "demo.fault";

/// The value of `telemetry.environment` under which a service with faults does not start.
const PRODUCTION: &str = "production";

/// Which faults a service lets requests ask for: its own, or none.
#[derive(Debug, Clone, Copy)]
pub struct Faults {
    service: Option<&'static str>,
}

impl Faults {
    /// Those of a service, if it is to have any.
    pub fn new(on: bool, service: &'static str) -> Self {
        Self { service: on.then_some(service) }
    }

    /// The layer that brings them about. `refuse` makes an answer of the error that is asked for.
    pub fn layer<R>(self, refuse: fn(Status) -> Response<R>) -> FaultLayer<R> {
        FaultLayer::new(self, refuse)
    }
}

/// The configuration of telemetry that lets the member through, from strangers and between services, or stops it,
/// whatever its lists say.
///
/// # Errors
/// When faults are on where real people's requests are.
pub(crate) fn admit(on: bool, config: &telemetry::Config) -> anyhow::Result<telemetry::Config> {
    ensure!(
        !on || config.environment != PRODUCTION,
        "fault_injection is on, and telemetry.environment is {PRODUCTION}"
    );
    let mut config = config.clone();
    for keys in [&mut config.trust.ingress.baggage, &mut config.trust.mesh.baggage] {
        keys.retain(|key| key != BAGGAGE_KEY);
        keys.extend(on.then(|| BAGGAGE_KEY.to_owned()));
    }
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lists(config: &telemetry::Config) -> [&[String]; 3] {
        let trust = &config.trust;
        [&trust.ingress.baggage, &trust.mesh.baggage, &trust.egress.baggage]
    }

    #[test]
    fn the_member_is_let_in_where_faults_are_on_and_leaves_the_mesh_nowhere() {
        let config = admit(true, &telemetry::Config::new("user-svc")).unwrap();
        assert_eq!(lists(&config), [&[BAGGAGE_KEY.to_owned()][..], &[BAGGAGE_KEY.to_owned()], &[]]);
    }

    #[test]
    fn the_member_is_stopped_where_faults_are_off_whatever_the_lists_say() {
        let mut config = telemetry::Config::new("user-svc");
        config.trust.mesh.baggage = vec![BAGGAGE_KEY.to_owned(), "tenant".to_owned()];
        config.trust.ingress.baggage = vec![BAGGAGE_KEY.to_owned()];
        assert_eq!(lists(&admit(false, &config).unwrap()), [&[][..], &["tenant".to_owned()], &[]]);
    }

    #[test]
    fn faults_cannot_be_on_in_production() {
        let config = telemetry::Config { environment: PRODUCTION.to_owned(), ..telemetry::Config::new("user-svc") };
        assert!(admit(true, &config).is_err());
        assert!(admit(false, &config).is_ok());
    }
}
