use std::time::Duration;

use humantime_serde::re::humantime;
use tonic::Code;

/// Most bytes of a text that is parsed.
const LONGEST: usize = 64;

/// The longest delay.
const LONGEST_DELAY: Duration = Duration::from_mins(1);

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The handler panics.
    Panic,
    /// The handler starts later.
    Delay(Duration),
    /// The handler is not called; this is the answer.
    Error(Code),
}

impl Fault {
    /// The fault that a text requests of a service in a call with this path.
    pub(super) fn asked_of(service: &str, path: &str, text: &str) -> Option<Self> {
        if text.len() > LONGEST {
            return None;
        }
        let (target, fault) = text.split_once(':')?;
        let (name, rpc) = target.split_once('/').map_or((target, None), |(name, rpc)| (name, Some(rpc)));
        if name != service || rpc.is_some_and(|rpc| path.rsplit('/').next() != Some(rpc)) {
            return None;
        }
        Self::parse(fault)
    }

    fn parse(text: &str) -> Option<Self> {
        if text == "panic" {
            return Some(Self::Panic);
        }
        match text.split_once('=')? {
            ("delay", text) => {
                let delay = humantime::parse_duration(text).ok()?;
                (delay <= LONGEST_DELAY).then_some(Self::Delay(delay))
            }
            ("error", text) => {
                let mut codes = (1..=16).map(Code::from_i32);
                codes.find(|code| telemetry::grpc::code_name(*code).to_lowercase() == text).map(Self::Error)
            }
            _ => None,
        }
    }

    /// Its kind, as log lines name it.
    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::Panic => "panic",
            Self::Delay(_) => "delay",
            Self::Error(_) => "error",
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PATH: &str = "/epro.user.v1.UserService/Authenticate";

    fn asked(text: &str) -> Option<Fault> {
        Fault::asked_of("user-svc", PATH, text)
    }

    #[test]
    fn a_fault_is_for_a_service_or_one_of_its_rpcs() {
        assert_eq!(asked("user-svc:panic"), Some(Fault::Panic));
        assert_eq!(asked("user-svc/Authenticate:panic"), Some(Fault::Panic));
        assert_eq!(asked("user-svc/EndSession:panic"), None);
        assert_eq!(asked("data-svc:panic"), None);
        assert_eq!(Fault::asked_of("gateway", "/v1/reports", "gateway/reports:panic"), Some(Fault::Panic));
    }

    #[test]
    fn a_fault_is_a_panic_a_delay_or_a_grpc_code() {
        assert_eq!(asked("user-svc:delay=5s"), Some(Fault::Delay(Duration::from_secs(5))));
        assert_eq!(asked("user-svc:delay=1s 500ms"), Some(Fault::Delay(Duration::from_millis(1500))));
        for (text, code) in [
            ("unavailable", Code::Unavailable),
            ("deadline_exceeded", Code::DeadlineExceeded),
            ("unauthenticated", Code::Unauthenticated),
            ("cancelled", Code::Cancelled),
        ] {
            assert_eq!(asked(&format!("user-svc:error={text}")), Some(Fault::Error(code)), "{text}");
        }
    }

    #[test]
    fn anything_else_asks_for_nothing() {
        for text in [
            "",
            ":",
            "panic",
            "user-svc",
            "user-svc:",
            "user-svc:Panic",
            "user-svc: panic",
            "user-svc:panic=1",
            "user-svc/:panic",
            "user-svc/epro.user.v1.UserService/Authenticate:panic",
            "user-svc:delay",
            "user-svc:delay=",
            "user-svc:delay=-1s",
            "user-svc:delay=61s",
            "user-svc:delay=99999999999999999999999999s",
            "user-svc:error=ok",
            "user-svc:error=UNAVAILABLE",
            "user-svc:error=14",
            "user-svc:exit",
        ] {
            assert_eq!(asked(text), None, "{text}");
        }
        assert_eq!(asked(&format!("user-svc:delay={}5s", "0".repeat(LONGEST))), None);
    }

    proptest! {
        #[test]
        fn no_text_asks_for_a_delay_that_is_too_long(text in "user-svc(/Authenticate)?:(delay|error|panic)=?[ -~]{0,60}|\\PC{0,80}") {
            if let Some(Fault::Delay(delay)) = asked(&text) {
                prop_assert!(delay <= LONGEST_DELAY);
            }
        }
    }
}
