//! How questions are answered.
//!
//! | module | what it does |
//! | --- | --- |
//! | `how` | what a read asks, in its user's words |
//! | `selection` | the features it asks for |
//! | `plan` | pins the state, fixes the moment, checks the horizons |
//! | `source` | the best revision that a memtable or a table can offer |
//! | `resolve` | the rule: which revisions are seen, which of the five answers follows |
//! | `spared` | the same of all of a row, where reverts take something of its table |
//! | `row` | one entity, many features |
//! | `asked` | the features of many reads, looked at once |
//! | `ready` | the same and their terms, as long as they hold |
//! | `direct` | an entity that one row of one table holds alone, the most frequent case |
//! | `numbers` | the numbers of such an entity, side by side |
//! | `lanes` | the same in wide registers |
//! | `older` | the older versions of an entity in a table |
//! | `going_back` | from the newest of them to one that is seen |
//! | `several` | an entity that several sources may hold |
//! | `reader` | rows into the caller's columns, by way of `direct` and `several` |
//! | `history` | one feature, many versions, from all sources side by side |
//! | `versions` | an answer for each of them |
//! | `sequence` | the same into the caller's columns |
//! | `entities` | the entities of some sources |
//! | `scan` | all entities |
//! | `join` | a spine of entities and times |
//! | `spine` | its rows in the order of their entities |
//! | `part` | a part of it at work |
//! | `landing` | answers on their way to the rows that ask |
//! | `joined` | what it answers |

pub mod how;
pub mod join;
pub mod joined;
pub mod reader;
pub mod scan;
pub mod selection;
pub mod sequence;

pub(crate) mod asked;
pub(crate) mod direct;
pub(crate) mod entities;
pub(crate) mod going_back;
pub(crate) mod history;
pub(crate) mod landing;
pub(crate) mod lanes;
pub(crate) mod numbers;
pub(crate) mod older;
pub(crate) mod part;
pub(crate) mod plan;
pub(crate) mod ready;
pub(crate) mod resolve;
pub(crate) mod row;
pub(crate) mod several;
pub(crate) mod source;
pub(crate) mod spared;
pub(crate) mod spine;
pub(crate) mod versions;
