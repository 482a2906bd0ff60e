//! The service that the pages' examples of gRPC call. The examples themselves are in `tests`.

/// Generated from `proto/stock.proto`.
#[allow(clippy::pedantic, unreachable_pub, reason = "generated")]
pub mod stock {
    tonic::include_proto!("shop.v1");
}
