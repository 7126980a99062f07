//! The files of a store: their names, logs, tables. Nothing here knows what a read asks.

pub(crate) mod log;
pub(crate) mod names;
pub(crate) mod scan;
pub(crate) mod table;
