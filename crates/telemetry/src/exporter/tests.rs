use opentelemetry_sdk::error::OTelSdkError;

use super::Tally;
use crate::tests::Recorder;

#[test]
fn an_outage_is_logged_where_it_begins_and_where_it_ends() {
    let recorder = Recorder::start();
    let tally = Tally::default();
    tally.ended.store(10, super::Ordering::Relaxed);
    let refused = Err(OTelSdkError::InternalFailure("refused".to_owned()));
    for result in [&Ok(()), &refused, &refused, &Ok(()), &Ok(())] {
        tally.record(2, result);
    }
    let lines = recorder.lines();
    let said: Vec<_> = lines.iter().map(|line| (&line["message"], &line["missing_spans"])).collect();
    assert_eq!(said, [(&"spans cannot be sent".into(), &8.into()), (&"spans are sent again".into(), &6.into())]);
    assert_eq!((tally.ended(), tally.lost()), (10, 4));
}
