//! What the fuzz targets share.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`heap`] | the bound on memory |
//! | [`columns`], [`records`], [`tables`] | things of the format made of a fuzzer's bytes |
//! | [`certificates`] | certificates of erases, also of a whole store |
//! | [`store`] | programs on whole stores, with damage |
//! | [`tool`], [`imports`] | the command-line tool on files of any content |

pub mod certificates;
pub mod columns;
pub mod heap;
pub mod imports;
pub mod lanes;
pub mod records;
pub mod store;
pub mod tables;
pub mod tool;
