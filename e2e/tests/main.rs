//! End to end: the five services as processes, on a Postgres of their own, over real sockets.

mod append_only;
mod bad_input;
mod outages;
mod privacy;
mod reads;
mod sessions;
mod submissions;
mod traces;
