//! The commands, one file each.

pub mod alter;
pub mod as_of;
pub mod compact;
pub mod define;
pub mod delete;
pub mod demo;
pub mod dump;
pub mod erase;
pub mod evolve;
pub mod features;
pub mod freshness;
pub mod history;
pub mod import;
pub mod join;
pub mod latest;
pub mod put;
pub mod report;
pub mod retire;
pub mod revert;
pub mod scan;
pub mod stats;
pub mod verify;
