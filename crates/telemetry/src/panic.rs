use std::panic::{self, Location};

use opentelemetry::KeyValue;

use crate::conventions::EXCEPTION_TYPE;
use crate::span::{event_current, fail_current};

/// Makes a panic an exception event on the current span, and a log line with its place in the code. The panic's text is
/// left out, because it may quote what a person has typed.
///
/// [`crate::init`] does so. An application with a panic hook of its own calls [`report_panic`] there.
pub(crate) fn install_hook() {
    panic::set_hook(Box::new(|info| report_panic(info.location())));
}

/// Reports a panic as [`crate::init`]'s panic hook does: an exception event and the failure of the current span, and a
/// log line with the place in the code. The panic's text is left out.
pub fn report_panic(place: Option<&Location<'_>>) {
    event_current("exception", vec![KeyValue::new(EXCEPTION_TYPE, "panic")]);
    fail_current("panic");
    tracing::error!(place = place.map(tracing::field::display), "panic");
}
