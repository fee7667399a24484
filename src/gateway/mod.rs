//! (being written)

pub mod compat;
