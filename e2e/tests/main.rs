//! End to end: the five services as processes, on a Postgres of their own, over real sockets.

mod amendments;
mod append_only;
mod audit;
mod bad_input;
mod bench;
mod chaos;
mod http_surface;
mod instruments;
mod mesh;
mod metrics;
mod notifications;
mod outages;
mod privacy;
mod rate_limits;
mod readable;
mod reads;
mod recovery;
mod retries;
mod reviews;
mod sessions;
mod silence;
mod stranger;
mod submissions;
mod traces;
mod unfinished;
mod windows;
