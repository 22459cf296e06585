//! The balancing brain from outside.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests say what went wrong by failing"
)]

mod kernel;
mod make;
mod reload;
mod sentences;
