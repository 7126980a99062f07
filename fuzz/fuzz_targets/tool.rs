//! The tool on files of any content in the place of a store's: it tells what is wrong.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| asofdb_fuzz::tool::play(bytes));
