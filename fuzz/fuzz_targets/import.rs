//! The tool's import of CSV and Parquet files of any content: all of it or an error.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| asofdb_fuzz::imports::play(bytes));
