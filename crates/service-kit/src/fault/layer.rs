use std::pin::Pin;
use std::task::{Context, Poll};

use http::{Request, Response};
use tokio::time::sleep;
use tokio_util::either::Either;
use tonic::Status;
use tower_layer::Layer;
use tower_service::Service;

use super::asked::Fault;
use super::{BAGGAGE_KEY, Faults};

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Injects the faults that requests ask for. It belongs where a handler's own failures happen: inside of the span, the
/// panic catcher and the deadline.
#[derive(Debug)]
pub struct FaultLayer<R> {
    faults: Faults,
    refuse: fn(Status) -> Response<R>,
}

impl<R> FaultLayer<R> {
    pub(super) fn new(faults: Faults, refuse: fn(Status) -> Response<R>) -> Self {
        Self { faults, refuse }
    }
}

impl<R> Clone for FaultLayer<R> {
    fn clone(&self) -> Self {
        Self { faults: self.faults, refuse: self.refuse }
    }
}

impl<S, R> Layer<S> for FaultLayer<R> {
    type Service = Faulty<S, R>;

    fn layer(&self, inner: S) -> Faulty<S, R> {
        Faulty { inner, layer: self.clone() }
    }
}

/// The service made by [`FaultLayer`].
#[derive(Debug)]
pub struct Faulty<S, R> {
    inner: S,
    layer: FaultLayer<R>,
}

impl<S: Clone, R> Clone for Faulty<S, R> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), layer: self.layer.clone() }
    }
}

impl<S, B, R> Service<Request<B>> for Faulty<S, R>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
    S::Error: 'static,
    R: 'static,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Either<S::Future, BoxFuture<Result<Response<R>, S::Error>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let Some(fault) = self.layer.faults.asked_for(request.uri().path()) else {
            return Either::Left(self.inner.call(request));
        };
        let (answer, refuse) = (self.inner.call(request), self.layer.refuse);
        Either::Right(Box::pin(async move {
            telemetry::warn!(fault = fault.kind(), "a fault that the request has asked for");
            match fault {
                Fault::Panic => panic!("a fault that the request has asked for"),
                Fault::Delay(delay) => {
                    sleep(delay).await;
                    answer.await
                }
                Fault::Error(code) => Ok(refuse(Status::new(code, "a fault that the request has asked for"))),
            }
        }))
    }
}

impl Faults {
    fn asked_for(self, path: &str) -> Option<Fault> {
        let service = self.service?;
        telemetry::baggage(BAGGAGE_KEY).and_then(|text| Fault::asked_of(service, path, &text))
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::time::Duration;

    use tokio::time::Instant;
    use tower::ServiceExt;

    use super::*;
    use crate::fault::{Faults, admit};

    const PATH: &str = "/epro.user.v1.UserService/Authenticate";

    /// The `grpc-status` of a call that asks for a fault, as a layer of `service` sees it within the span of the call.
    async fn status(on: bool, fault: &str) -> Option<i32> {
        let config = admit(true, &telemetry::Config::new("user-svc")).unwrap();
        let telemetry = telemetry::Telemetry::start(&config, "1").unwrap();
        let request =
            Request::builder().uri(PATH).header("baggage", format!("{BAGGAGE_KEY}={fault}")).body(()).unwrap();
        let inner = tower::service_fn(async |_: Request<()>| Ok::<_, Infallible>(Response::<String>::default()));
        let faulty = Faults::new(on, "user-svc").layer(Status::into_http).layer(inner);
        let spans = telemetry.scope(async { telemetry::grpc::ServerLayer::new(&[]) }).await;
        let answer = spans.layer(faulty).oneshot(request).await.unwrap();
        Some(answer.headers().get("grpc-status")?.to_str().unwrap().parse().unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn a_fault_that_is_asked_for_is_brought_about() {
        assert_eq!(status(true, "user-svc:error=unavailable").await, Some(14));
        assert_eq!(status(true, "data-svc:error=unavailable").await, None);
        let started = Instant::now();
        assert_eq!(status(true, "user-svc:delay=5s").await, None);
        assert_eq!(started.elapsed().as_secs(), Duration::from_secs(5).as_secs());
    }

    #[tokio::test]
    #[should_panic(expected = "a fault that the request has asked for")]
    async fn a_panic_that_is_asked_for_is_one() {
        status(true, "user-svc:panic").await;
    }

    #[tokio::test]
    async fn a_service_without_faults_does_as_it_is_asked_otherwise() {
        assert_eq!(status(false, "user-svc:panic").await, None);
    }
}
