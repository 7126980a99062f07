//! How data is arranged over files: what may be dropped, how sources are merged, when.
//!
//! Placement is policy: reads are right for any arrangement. What is dropped is not: the rule is
//! in `garbage`, alone.

pub(crate) mod background;
pub(crate) mod bounds;
mod budget;
pub(crate) mod certifying;
pub(crate) mod compact;
pub(crate) mod demote;
pub(crate) mod erasing;
pub(crate) mod flush;
pub(crate) mod garbage;
pub(crate) mod merge;
pub(crate) mod output;
pub(crate) mod placement;
pub(crate) mod told;
pub(crate) mod wear;
