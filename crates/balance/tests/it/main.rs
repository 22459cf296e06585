//! The balancing brain from outside.
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "tests say what went wrong by failing, and each looks at one kind of what comes out"
)]

mod kernel;
mod make;
mod model;
mod random;
mod reload;
mod sentences;
