//! The gRPC surface: every method calls its function in `rpc/`.

use std::sync::Arc;

use proto::notify as pb;
use proto::notify::notify_service_server::NotifyService;
use service_kit::respond;
use tonic::{Request, Response, Status};

use crate::delivery::Delivery;
use crate::rpc;

#[derive(Debug)]
pub(crate) struct Grpc {
    pub(crate) delivery: Arc<Delivery>,
}

#[tonic::async_trait]
impl NotifyService for Grpc {
    async fn notify(&self, request: Request<pb::NotifyRequest>) -> Result<Response<pb::NotifyResponse>, Status> {
        respond(rpc::notify(&self.delivery, request.into_inner()))
    }
}
