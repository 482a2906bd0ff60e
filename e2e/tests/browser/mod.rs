//! The pages in a real browser.

mod driver;
mod nurse;
mod patient;
mod pictures;
