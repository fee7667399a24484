//! Where the bytes come from, as far as a transfer's life depends on it: whether they can be had again,
//! and whether anyone is there to give them.

/// Whether a source can go back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Any range can be asked for, at any time: a file in the sender's hands.
    Seekable,
    /// Every byte comes once, from the first on: a live stream, an upload by HTTP. Lost before its end,
    /// it cannot be replaced.
    Once,
}
