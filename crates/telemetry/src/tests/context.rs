use crate::TraceContext;
use crate::context::InvalidTraceContext;

#[test]
fn a_traceparent_survives_the_round_trip_through_text() {
    let text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let context: TraceContext = text.parse().unwrap();
    assert_eq!(context.to_string(), text);
    assert_eq!(context.trace_id().to_string(), "0af7651916cd43dd8448eb211c80319c");
}

#[test]
fn text_that_is_no_traceparent_is_refused() {
    for text in ["", "é", "00-0-0-00", "00-00000000000000000000000000000000-0000000000000000-01"] {
        assert_eq!(text.parse::<TraceContext>(), Err(InvalidTraceContext), "{text}");
    }
}

#[test]
fn outside_of_any_trace_the_context_is_all_zeroes() {
    let context = TraceContext::current();
    assert_eq!(context.to_string(), "00-00000000000000000000000000000000-0000000000000000-00");
}
