//! Whole stores on the simulated disk: programs of operations and damage, against the model.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| asofdb_fuzz::store::play(bytes));
