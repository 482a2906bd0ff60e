//! Fault injection: requests ask for faults, so that failures can be studied on purpose.
//!
//! A request asks with one member of its W3C Baggage, [`BAGGAGE_KEY`], such as `user-svc/Authenticate:delay=5s`.
//! Baggage is propagated through the services, so that the one it names fails, outside of its business code. A service
//! whose `fault_injection` is off, which is the default, ignores that member and does not pass it on.

mod asked;
mod layer;

use anyhow::ensure;
use http::Response;
use tonic::Status;

pub use layer::{FaultLayer, Faulty};

/// The baggage key that asks for a fault. The value is `SERVICE[/RPC]:FAULT`, 64 bytes at most, where `RPC` is the last
/// part of a path and `FAULT` is `panic`, `delay=` with a duration of a minute at most (`5s`, `1s 500ms`), or `error=`
/// with the name of a gRPC code (`unavailable`). Any other value is ignored.
pub const BAGGAGE_KEY: &str = "demo.fault";

/// The value of `telemetry.environment` under which a service with faults does not start.
const PRODUCTION: &str = "production";

/// The faults that requests may ask of a service: its own, or none.
#[derive(Debug, Clone, Copy)]
pub struct Faults {
    service: Option<&'static str>,
}

impl Faults {
    /// The faults of a service, if they are on.
    pub fn new(on: bool, service: &'static str) -> Self {
        Self { service: on.then_some(service) }
    }

    /// The layer that injects them. `refuse` makes a response from the error that was asked for.
    pub fn layer<R>(self, refuse: fn(Status) -> Response<R>) -> FaultLayer<R> {
        FaultLayer::new(self, refuse)
    }
}

/// The telemetry settings that let the member through, from strangers and between services, if faults are on. If they
/// are off, the settings stop it, whatever their lists contain.
///
/// # Errors
/// When faults are on in production.
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
