//! The whole application in a test or a demo: the real binaries as processes, a private Postgres, and test doubles of
//! the collector, the SMS provider and the mail server. The doubles record what they receive and can be told to fail.
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! use std::time::Duration;
//! use testkit::{contract, postgres::Postgres, stack::Stack};
//!
//! let postgres = Postgres::builder().fsync(false).start().await?;
//! postgres.cluster().create_template().await?;
//! let stack = Stack::builder().cluster(postgres.cluster()).start().await?;
//!
//! let phone = stack.client();
//! let patient = &migrations::demo::PATIENTS[0];
//! let token = phone.login(patient.login, patient.pin).await?;
//! let answer = phone.submit_new(&token, patient.assignment).await?.expect_status(201)?;
//!
//! let trace_id = answer.trace_id().unwrap_or_default();
//! let expected = contract::submit_report(2);
//! let trace = stack.otlp.wait_for_shape(&trace_id, Duration::from_secs(10), &expected).await?;
//! println!("{trace}");
//! stack.stop().await?;
//! # Ok(())
//! # }
//! ```

#![expect(clippy::disallowed_methods, reason = "a test double: not part of any trace")]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that fails may panic"))]

pub mod bench;
pub mod cargo;
pub mod chaos;
pub mod client;
pub mod compose;
pub mod contract;
pub mod copies;
pub mod fhir;
pub mod jaeger;
pub mod markdown;
pub mod postgres;
pub mod proxy;
mod reaper;
pub mod sampling_lab;
pub mod scenario;
mod script;
pub mod sms;
pub mod smtp;
pub mod stack;
pub mod stranger;
/// Traces as data.
pub use trace_testing::{journal, poll, receiver as otlp};
pub use traces as trace;

use trace_testing::server_task;
