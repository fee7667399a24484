//! One receiver.
