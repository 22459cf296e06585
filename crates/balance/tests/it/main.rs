//! The balancing brain from outside.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "each test looks at one kind of what comes out"
)]

mod kernel;
mod make;
mod model;
mod random;
mod reload;
mod sentences;
