//! Every byte of a small store is changed in turn, by one bit and by all of them.

use std::fmt;
use std::path::PathBuf;

use crate::harmless;
use crate::parts::{Parts, SECTIONS};
use crate::stores::{self, Lab};
use crate::tally::{Replay, Tally, file_name, kind_of};
use crate::trial::{Damage, MODES, Verdict};
use crate::{asked, is_full};

/// One changed byte.
struct Flip<'f> {
    store: &'f str,
    file: &'f str,
    at: usize,
    xor: u8,
    part: &'f str,
}

impl fmt::Display for Flip<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { store, file, at, xor, part } = self;
        write!(
            f,
            "DAMAGE_STORE={store} DAMAGE_FILE={file} DAMAGE_AT={at} DAMAGE_XOR={xor} \
             cargo test -p asofdb-tests --test damage flips -- --nocapture  # in the {part}"
        )
    }
}

fn flip(lab: &Lab, path: &PathBuf, parts: &Parts, at: usize, xor: u8, tally: &mut Tally) {
    let part = parts.at(at);
    let flip = Flip { store: lab.name, file: file_name(path), at, xor, part };
    let _replay = Replay(&flip);
    let mut bytes = lab.files[path].clone();
    bytes[at] ^= xor;
    let damage = Damage(vec![(path.clone(), Some(bytes))]);
    let mode = MODES[(at + usize::from(xor.count_ones() > 1)) % MODES.len()];
    let trial = lab.try_damage(&damage, mode, std::slice::from_ref(path));
    tally.count(&format!("{} of {}", part, kind_of(path)), &trial);
    match trial.verdict {
        Verdict::AtOpen | Verdict::AtRead | Verdict::ByVerify => {}
        Verdict::TornEnd => tally.harmless(harmless::why(lab, &damage)),
        Verdict::Unseen => panic!("damage that nothing tells of"),
    }
}

#[test]
fn a_changed_byte_changes_an_answer() {
    let only = |name: &str, of: &str| asked(name).is_none_or(|asked| asked == of);
    let mut unseen = SECTIONS.to_vec();
    for lab in stores::small() {
        if !only("DAMAGE_STORE", lab.name) {
            continue;
        }
        let mut tally = Tally::default();
        let length: usize = lab.files.values().map(Vec::len).sum();
        // A run by default changes every byte of one in so many.
        let stride = if is_full() || asked("DAMAGE_AT").is_some() { 1 } else { 11 };
        let mut number = 0;
        for (path, bytes) in &lab.files {
            let parts = Parts::of(&lab, path);
            for at in 0..bytes.len() {
                number += 1;
                if !only("DAMAGE_FILE", file_name(path)) || !only("DAMAGE_AT", &at.to_string()) {
                    continue;
                }
                let bits = (0..8).map(|bit| 1u8 << bit);
                let changes: Vec<u8> = if is_full() || asked("DAMAGE_XOR").is_some() {
                    bits.chain([0xff]).collect()
                } else if number % stride == 0 {
                    vec![1 << (at % 8), 0xff]
                } else {
                    Vec::new()
                };
                for xor in changes {
                    if only("DAMAGE_XOR", &xor.to_string()) {
                        flip(&lab, path, &parts, at, xor, &mut tally);
                    }
                }
            }
        }
        println!(
            "{}: {} files, {length} bytes, one in {stride} changed:\n{tally}",
            lab.name,
            lab.files.len()
        );
        assert!(tally.tried() > 0, "nothing was changed");
        unseen.retain(|section| !tally.has_tried(&format!("{section} of TABLE")));
    }
    let is_one =
        ["DAMAGE_STORE", "DAMAGE_FILE", "DAMAGE_AT"].iter().any(|name| asked(name).is_some());
    assert!(is_one || unseen.is_empty(), "no byte was changed of {unseen:?}");
}
