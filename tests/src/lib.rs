//! What the tests of asofdb share: the naive model of the rules, programs over every operation, their
//! replay on anything that claims to follow the rules, and a generator of such programs.
//!
//! Only `engine` and `ledger` use the engine: an error in the engine cannot hide in its own judge.

pub mod answer;
pub mod engine;
pub mod generate;
pub mod ledger;
pub mod model;
pub mod program;
pub mod question;
pub mod replay;
pub mod shrink;
