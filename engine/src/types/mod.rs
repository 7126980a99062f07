//! The words of the public API: what goes in (specs, options) and what comes
//! out (answers, errors). The lowest floor: nothing here knows of files or threads.

pub mod answer;
pub mod cells;
pub mod error;
pub mod events;
pub mod options;
pub mod sequence;
pub mod spec;
