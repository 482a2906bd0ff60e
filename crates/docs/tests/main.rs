//! What `docs/from-go.md` and `docs/adopt.md` print is compiled and run here, and is the same as on the page.

#![expect(clippy::unused_async, reason = "what stands for a service's own work has nothing to wait for")]

mod adopt;
mod from_go;
mod page;
