//! What the tests of asofdb share: the naive model of the rules, programs over every operation, their
//! replay on anything that claims to follow the rules, and a generator of such programs.
//!
//! Only `engine`, `killed`, `ledger`, what they stand on (`doors`, `hook_disk`, `parked`) and what stands on them (`case`,
//! `metamorphic`, `options`) use the engine: an error in
//! the engine cannot hide in its own judge.

pub mod answer;
pub mod asked;
pub mod case;
pub mod cores;
pub mod doors;
pub mod engine;
pub mod generate;
pub mod hook_disk;
pub mod killed;
pub mod ledger;
pub mod metamorphic;
pub mod model;
pub mod options;
pub mod parked;
pub mod program;
pub mod question;
pub mod recorder;
pub mod replay;
pub mod shrink;
