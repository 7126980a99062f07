//! What the store is at a moment: one immutable [`State`](live::State), swapped whole.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `catalog` | definitions, and the bounds that follow from them |
//! | `commits` | which moments have commits |
//! | `taken` | what erases and reverts took away |
//! | `labels` | the sources that batches named |
//! | `erasing` | what only memory knows of erases under way |
//! | `snapshots` | which commits somebody holds |
//! | `lagging` | the clock that compaction relies on |
//! | `memtable` | revisions not yet in a table |
//! | `arena` | the memory of a memtable |
//! | `append` | lists that grow beside their readers |
//! | `arrangement` | which tables there are: recent, present, past |
//! | `tally` | what memtables and tables hold of each feature |
//! | `visible` | up to which commit a state is seen |
//! | `room` | how much room there is for another batch |
//! | `durable` | the picture that the manifest draws of all that |
//! | `manifest` | its file: reading and writing it |
//! | `beginning` | the log and the manifest with which writing begins |
//! | `live` | the state that reads pin, and how it is changed |

pub mod snapshots;

pub(crate) mod append;
pub(crate) mod arena;
pub(crate) mod arrangement;
pub(crate) mod beginning;
pub(crate) mod catalog;
pub(crate) mod commits;
pub(crate) mod durable;
pub(crate) mod erasing;
pub(crate) mod labels;
pub(crate) mod lagging;
pub(crate) mod live;
pub(crate) mod manifest;
pub(crate) mod memtable;
pub(crate) mod room;
pub(crate) mod taken;
pub(crate) mod tally;
pub(crate) mod visible;
