//! The bytes of an asofdb store: what its files hold and what that means.
//!
//! Pure functions over byte slices: no file is opened here, no clock is read, nothing is kept.
//! SPEC.md describes the same bytes for who writes another reader.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`ids`], [`value`], [`revision`] | the words of the model |
//! | [`wire`], [`hash`] | small things: integers, texts; the hashes of entities |
//! | [`header`] | the first bytes of every file |
//! | [`frame`] | frames of logs and manifests |
//! | [`batch`] | the payload of a log frame |
//! | [`edit`], [`catalog`] | the payload of a manifest frame |
//! | [`certificate`] | what proves an erase |
//! | [`pages`], [`table`], [`meta`], [`freshness`] | a table file: sections, checksums, what is known of it |
//! | [`timeline`] | which event times came with which commit |
//! | [`directory`], [`head`], [`chunk`] | a table's entities, their newest versions, their history |
//! | [`hint`] | about where a chunk lies |
//! | [`ints`], [`lines`], [`values`] | columns of integers, lists of them, columns of values |
//!
//! Decoders take any bytes: they answer with [`Malformed`] and never panic, loop, or allocate more
//! than a small multiple of their input; a compressed block tells its length, 16 MiB at the most.
#![forbid(unsafe_code)]
#![cfg_attr(test, expect(clippy::cast_possible_truncation, reason = "tests count small things"))]

pub mod batch;
pub mod catalog;
pub mod certificate;
pub mod chunk;
pub mod directory;
pub mod edit;
mod entry;
pub mod frame;
pub mod freshness;
pub mod hash;
pub mod head;
pub mod header;
pub mod hint;
pub mod ids;
pub mod ints;
pub mod lines;
pub mod meta;
pub mod pages;
pub mod revision;
pub mod table;
pub mod timeline;
pub mod value;
pub mod values;
pub mod wire;

pub use wire::Malformed;

/// The version of the format that this crate writes, and the newest that it reads.
pub const FORMAT_VERSION: u32 = 1;
