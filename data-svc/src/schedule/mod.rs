//! When a scheduled assignment may be filled in: [`plan`] computes its windows, [`materialise`] stores them.

pub(crate) mod materialise;
pub(crate) mod plan;
