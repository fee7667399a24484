//! (being written)

pub mod disposition;
pub mod page;
pub mod range;
