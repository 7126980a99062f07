//! How batches come in: built by their writer, put in the log, in the memtable, then visible. What
//! changes definitions or takes back goes the same way with a commit of its own, through the
//! manifest instead of the log.

pub mod batch;
pub mod taking_back;

pub(crate) mod commit;
pub(crate) mod definitions;
