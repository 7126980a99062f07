//! The files of a store: their names, logs, tables, and what is counted of them. Nothing here knows what a read asks.

pub(crate) mod blocks;
pub(crate) mod log;
pub(crate) mod metered;
pub(crate) mod names;
pub(crate) mod pin;
pub(crate) mod scan;
pub(crate) mod spare;
pub(crate) mod spared;
pub(crate) mod table;
mod turns;
