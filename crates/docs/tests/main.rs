//! What `docs/from-go.md`, `docs/adopt.md` and `CONTRIBUTING.md` print is compiled and run here, and is the same as on the
//! page.

#![expect(clippy::unused_async, reason = "what stands for a service's own work has nothing to wait for")]

mod adopt;
mod contributing;
mod from_go;
mod page;
mod toolchain;
