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
//!
//! How many lines of the cache a read touches, at the median of 64 reads of drawn entities, among 2,500 of
//! 20 numbers × 10 versions. Lines of the entity's own are those that are waited for, though few one behind
//! another; what all reads share is in a cache where reads are frequent.
//!
//! | read | own, in tables | own, in memory | its answer | shared: the store's, the program's | stack |
//! | --- | --- | --- | --- | --- | --- |
//! | latest row of 20 | 7 | 0 | 8 | 41 | 64 |
//! | latest point | 7 | 0 | 2 | 42 | 67 |
//! | as-of row of 20 | 27 | 0 | 8 | 60 | 94 |
//! | as-of point | 26 | 0 | 3 | 46 | 102 |
//! | latest row, all in the memtable | 0 | 20 | 7 | 27 | 45 |
//! | latest row, half of it newer in the memtable | 7 | 20 | 7 | 48 | 78 |
//! | last 10 of 200 events, their block kept | 12 | 13 | 14 | 92 | 104 |
//! | row of 20 in a join of four rows an entity | 5.2 | 8.2, its answer 5.3 of them | | | |
//! | cell of it | 0.26 | 0.41 | | | |
//!
//! A point touches what a row does: the lines of a head and of a short chunk are fetched at once,
//! whichever features are asked for. A join touches some 2,000 lines more, whatever its rows. Counted by
//!
//! ```text
//! cargo run --release -p asofdb-benches -- lines
//! ```

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
