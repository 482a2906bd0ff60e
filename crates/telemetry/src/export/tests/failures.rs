//! What happens to spans when a receiver fails.

use std::time::Duration;

use tokio::runtime::Runtime;
use tonic::Code;

use super::receiver::{Answer, Behaviour, Http, Proxy, Receiver};
use super::{Pipeline, grpc, otlp};
use crate::config::Queue;
use crate::config::settings::{Otlp, Protocol};

#[tokio::test]
async fn a_receiver_that_fails_for_now_is_asked_again() {
    let receiver = Receiver::start(Behaviour::FailOnce(Code::Unavailable)).await;
    let pipeline = Pipeline::start(grpc(&receiver.endpoint()));
    pipeline.end_spans(2);
    assert!(pipeline.flush().await);
    assert_eq!(receiver.requests().len(), 2);
    pipeline.assert_counts(2, &[]);
}

#[tokio::test]
async fn a_receiver_that_says_no_is_not_asked_again() {
    for code in [Code::InvalidArgument, Code::ResourceExhausted, Code::Unauthenticated] {
        let receiver = Receiver::start(Behaviour::Fail(code)).await;
        let pipeline = Pipeline::start(grpc(&receiver.endpoint()));
        pipeline.end_spans(2);
        assert!(pipeline.flush().await);
        assert_eq!(receiver.requests().len(), 1);
        pipeline.assert_counts(0, &[(crate::grpc_status::code_name(code), 2)]);
    }
}

#[tokio::test]
async fn what_is_rejected_of_a_batch_is_counted() {
    let receiver = Receiver::start(Behaviour::Reject(3)).await;
    let pipeline = Pipeline::start(grpc(&receiver.endpoint()));
    pipeline.end_spans(10);
    assert!(pipeline.flush().await);
    pipeline.assert_counts(7, &[("rejected", 3)]);
}

#[tokio::test]
async fn a_receiver_that_is_not_there_costs_spans_by_their_cause() {
    let pipeline = Pipeline::start(grpc("http://127.0.0.1:1"));
    pipeline.end_spans(5);
    pipeline.close(Duration::from_millis(300)).await;
    pipeline.assert_counts(0, &[("UNAVAILABLE", 5)]);
}

#[tokio::test]
async fn a_receiver_that_hangs_fills_the_queue_to_its_bound_and_no_further() {
    let (receiver, http) = (Receiver::start(Behaviour::Hang).await, Http::answering(vec![Answer::Nothing]).await);
    fills_to_its_bound(grpc(&receiver.endpoint()), receiver.wait_for(1)).await;
    fills_to_its_bound(otlp(Protocol::HttpProtobuf, &http.endpoint()), http.wait_for(1)).await;
}

async fn fills_to_its_bound(otlp: Otlp, first_export: impl Future<Output = ()>) {
    let queue = Queue { size: 100, batch: 10, delay: Duration::ZERO, ..Queue::default() };
    let pipeline = Pipeline::with(otlp, queue);
    pipeline.end_spans(10);
    first_export.await;
    pipeline.end_spans(1_000);
    let waiting = pipeline.processor.queue_size() as u64;
    assert!((1..=100).contains(&waiting), "{waiting}");
    let lost = |pipeline: &Pipeline| pipeline.processor.counts().lost();
    // Each span is a trace of its own: some are shed, so that few find the queue full.
    assert_eq!(lost(&pipeline).values().sum::<u64>(), 1_000 - waiting);
    let took = pipeline.close(Duration::from_millis(300)).await;
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert_eq!(lost(&pipeline)["timeout"], waiting + 10);
    pipeline.end_spans(1);
    assert_eq!(lost(&pipeline)["already_shutdown"], 1);
    assert_eq!((pipeline.processor.counts().exported(), lost(&pipeline).values().sum::<u64>()), (0, 1_011));
}

#[tokio::test]
async fn a_receiver_that_is_slower_than_spans_come_costs_some_of_them_and_each_is_counted() {
    let (receiver, http) = (Receiver::start(Behaviour::Take).await, Http::start(None).await);
    for otlp in [grpc(&receiver.endpoint()), otlp(Protocol::HttpProtobuf, &http.endpoint())] {
        let queue = Queue { size: 100, batch: 10, delay: Duration::ZERO, ..Queue::default() };
        let pipeline = Pipeline::with(otlp, queue);
        // The receiver runs on the same thread, so it answers only after all spans have ended.
        pipeline.end_spans(20_000);
        assert!(pipeline.processor.queue_size() <= 100);
        assert!(pipeline.flush().await);
        let counts = pipeline.processor.counts();
        let lost: u64 = counts.lost().values().sum();
        assert!(counts.exported() > 0 && lost > 0, "{counts:?}");
        assert_eq!(counts.exported() + lost, 20_000);
    }
}

#[tokio::test]
async fn a_receiver_that_comes_back_gets_what_has_waited_for_it() {
    let runtime = Runtime::new().unwrap();
    let first = runtime.spawn(Receiver::start(Behaviour::Hang)).await.unwrap();
    let otlp = Otlp { timeout: Some(Duration::from_secs(1)), ..grpc(&first.endpoint()) };
    let pipeline = Pipeline::start(otlp);
    pipeline.end_spans(2);
    // The first export is over then. The second receiver has a second to answer: an answer that is late has the spans sent
    // again.
    first.wait_for(2).await;
    runtime.shutdown_background();
    let second = Receiver::at(first.address(), Behaviour::Take).await;
    assert!(pipeline.flush().await);
    assert_eq!(second.requests().iter().map(|request| request.spans).sum::<usize>(), 2);
    pipeline.assert_counts(2, &[]);
}

#[tokio::test]
async fn a_batch_that_is_not_taken_is_given_up_where_those_after_it_need_the_room() {
    let receiver = Receiver::start(Behaviour::Hang).await;
    let otlp = Otlp { timeout: Some(Duration::from_millis(300)), ..grpc(&receiver.endpoint()) };
    let queue = Queue { size: 100, batch: 10, delay: Duration::ZERO, ..Queue::default() };
    let pipeline = Pipeline::with(otlp, queue);
    pipeline.end_spans(10);
    receiver.wait_for(2).await;
    pipeline.assert_counts(0, &[]);
    pipeline.end_spans(1_000);
    receiver.wait_for(4).await;
    assert!(pipeline.processor.counts().lost()["timeout"] >= 10);
}

#[tokio::test]
async fn a_connection_that_leads_nowhere_any_more_costs_no_span() {
    let receiver = Receiver::start(Behaviour::Take).await;
    let proxy = Proxy::before(receiver.address()).await;
    let pipeline = Pipeline::start(Otlp { timeout: Some(Duration::from_millis(300)), ..grpc(&proxy.endpoint()) });
    pipeline.end_spans(1);
    assert!(pipeline.flush().await);
    proxy.silence();
    for _ in 0..2 {
        pipeline.end_spans(1);
        assert!(pipeline.flush().await);
    }
    pipeline.assert_counts(3, &[]);
}
