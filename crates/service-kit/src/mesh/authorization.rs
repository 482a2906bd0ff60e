//! Which service may call which RPC.

use std::future::{Ready, ready};
use std::task::{Context, Poll};

use http::{Request, Response};
use tokio_util::either::Either;
use tonic::Status;
use tower_layer::Layer;
use tower_service::Service;

use super::Caller;

/// Open to every caller: health checks reveal only whether the process is ready.
const HEALTH: &str = "/grpc.health.v1.Health/";

/// Lets in the callers that an RPC's `.proto` names.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AuthorizationLayer;

impl<S> Layer<S> for AuthorizationLayer {
    type Service = Authorization<S>;

    fn layer(&self, inner: S) -> Authorization<S> {
        Authorization { inner }
    }
}

/// The service made by [`AuthorizationLayer`].
#[derive(Debug, Clone)]
pub(crate) struct Authorization<S> {
    inner: S,
}

impl<S, B, R> Service<Request<B>> for Authorization<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: Default,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Either<S::Future, Ready<Result<Response<R>, S::Error>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        match check(request.extensions().get(), request.uri().path()) {
            Ok(()) => Either::Left(self.inner.call(request)),
            Err(status) => Either::Right(ready(Ok(status.into_http()))),
        }
    }
}

fn check(caller: Option<&Caller>, path: &str) -> Result<(), Status> {
    match caller {
        Some(Caller::Anybody) => Ok(()),
        _ if path.starts_with(HEALTH) => Ok(()),
        None | Some(Caller::Stranger) => Err(Status::unauthenticated("a certificate of the mesh is needed")),
        Some(Caller::Known(names)) => {
            if proto::callers(path).iter().any(|caller| names.iter().any(|name| name == caller)) {
                return Ok(());
            }
            telemetry::warn!(caller = names.join(", "), "a service has called an RPC that it may not call");
            Err(Status::permission_denied("the caller is not among those that may call this"))
        }
    }
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;

    fn code(caller: Option<&Caller>, path: &str) -> Code {
        check(caller, path).map_or_else(|status| status.code(), |()| Code::Ok)
    }

    #[test]
    fn an_rpc_is_for_the_callers_that_its_proto_names() {
        const SAVE_REPORT: &str = "/epro.data.v1.DataService/SaveReport";
        let known = |name: &str| Caller::Known([name.to_owned()].into());
        for (caller, path, answer) in [
            (Some(known("epro-svc")), SAVE_REPORT, Code::Ok),
            (Some(known("gateway")), SAVE_REPORT, Code::PermissionDenied),
            (Some(known("epro-svc")), "/epro.data.v1.DataService/Nothing", Code::PermissionDenied),
            (Some(Caller::Known([].into())), SAVE_REPORT, Code::PermissionDenied),
            (Some(Caller::Stranger), SAVE_REPORT, Code::Unauthenticated),
            (None, SAVE_REPORT, Code::Unauthenticated),
            (Some(Caller::Stranger), "/grpc.health.v1.Health/Check", Code::Ok),
            (Some(Caller::Anybody), SAVE_REPORT, Code::Ok),
        ] {
            assert_eq!(code(caller.as_ref(), path), answer, "{caller:?} {path}");
        }
    }
}
