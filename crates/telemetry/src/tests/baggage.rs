use http::HeaderMap;

use super::Recorder;
use crate::propagation::{Boundary, Incoming};
use crate::telemetry::here;
use crate::{Continuation, Task, Trust, baggage, with_baggage};

/// What a call within the mesh would carry.
fn carried() -> HeaderMap {
    let (telemetry, context) = here();
    let mut headers = HeaderMap::new();
    telemetry.0.inject(Boundary::Mesh, &context, &mut headers);
    headers
}

fn trusting(keys: &[&str]) -> Recorder {
    let keys = keys.iter().map(|&key| key.to_owned()).collect();
    let mesh = Incoming { trace: Continuation::Continue, state: true, baggage: keys };
    Recorder::trusting(Trust { mesh, ..Trust::default() })
}

#[tokio::test]
async fn what_is_added_is_read_by_tasks_and_carried_by_calls_beside_what_there_was() {
    let _recorder = trusting(&["tenant", "tier"]);
    let work = async { Task::internal("later").spawn(async { (baggage("tenant"), baggage("tier"), carried()) }).await };
    let (tenant, tier, headers) = with_baggage("tier", "1", with_baggage("tenant", "a b", work)).await.unwrap();
    assert_eq!((tenant.as_deref(), tier.as_deref()), (Some("a b"), Some("1")));
    assert_eq!(headers["baggage"], "tenant=a%20b,tier=1");
}

#[tokio::test]
async fn what_nobody_has_allowed_goes_no_further() {
    let _recorder = trusting(&[]);
    with_baggage("tenant", "a", async {
        assert_eq!(baggage("tenant").as_deref(), Some("a"));
        assert!(!carried().contains_key("baggage"));
    })
    .await;
    assert_eq!(baggage("tenant"), None);
}
