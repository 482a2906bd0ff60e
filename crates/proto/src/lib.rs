//! The contracts between the services: messages and stubs generated from `proto/`, the allowed callers of each RPC, and
//! types that several services convert messages to.

mod answer;
mod captured;
mod leap_second;
mod outcome;

pub use captured::{Captured, NotATime};

#[allow(clippy::pedantic, unreachable_pub, reason = "generated")]
mod generated {
    pub mod epro {
        pub mod domain {
            pub mod v1 {
                tonic::include_proto!("epro.domain.v1");
            }
        }
        pub mod user {
            pub mod v1 {
                tonic::include_proto!("epro.user.v1");
            }
        }
        pub mod report {
            pub mod v1 {
                tonic::include_proto!("epro.report.v1");
            }
        }
        pub mod data {
            pub mod v1 {
                tonic::include_proto!("epro.data.v1");
            }
        }
        pub mod notify {
            pub mod v1 {
                tonic::include_proto!("epro.notify.v1");
            }
        }
    }
}

pub use generated::epro::data::v1 as data;
pub use generated::epro::domain::v1 as domain;
pub use generated::epro::notify::v1 as notify;
pub use generated::epro::report::v1 as report;
pub use generated::epro::user::v1 as user;

/// The services that may call the RPC of a path such as `/epro.data.v1.DataService/SaveReport`, as its `.proto`
/// declares. Empty for an unknown path.
#[expect(clippy::match_same_arms, reason = "generated")]
pub fn callers(path: &str) -> &'static [&'static str] {
    include!(concat!(env!("OUT_DIR"), "/callers.rs"))
}
