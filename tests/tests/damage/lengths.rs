//! Every file is cut at every length, and made longer by what might follow it.

use std::path::PathBuf;

use crate::stores::{self, Lab};
use crate::tally::{Replay, Tally, file_name, kind_of};
use crate::trial::{Damage, MODES, Verdict};
use crate::{asked, harmless, is_full};

fn try_length(
    lab: &Lab,
    path: &PathBuf,
    number: usize,
    bytes: Vec<u8>,
    what: &str,
    tally: &mut Tally,
) {
    let replay = format!(
        "DAMAGE_STORE={} DAMAGE_FILE={} DAMAGE_AT={number} \
         cargo test -p asofdb-tests --test damage lengths -- --nocapture  # {what}",
        lab.name,
        file_name(path)
    );
    let _replay = Replay(&replay);
    let damage = Damage(vec![(path.clone(), Some(bytes))]);
    let mode = MODES[number % MODES.len()];
    let trial = lab.try_damage(&damage, mode, std::slice::from_ref(path));
    tally.count(&format!("{} {what}", kind_of(path)), &trial);
    match trial.verdict {
        Verdict::AtOpen | Verdict::AtRead | Verdict::ByVerify => {}
        // A file that ends between two frames has no torn end.
        Verdict::TornEnd | Verdict::Unseen => tally.harmless(harmless::why(lab, &damage)),
    }
}

/// What might stand behind the end of a file.
fn tails(bytes: &[u8]) -> Vec<Vec<u8>> {
    let garbage = |len: u8| (0..len).map(|n| n.wrapping_mul(89) ^ 0x5a).collect();
    vec![
        vec![0],
        vec![0; 40],
        vec![0; 4096],
        garbage(1),
        garbage(39),
        garbage(255),
        bytes.to_vec(),
        bytes[bytes.len() / 2..].to_vec(),
    ]
}

#[test]
fn a_file_of_another_length_changes_an_answer() {
    let only = |name: &str, of: &str| asked(name).is_none_or(|asked| asked == of);
    for lab in stores::small() {
        if !only("DAMAGE_STORE", lab.name) {
            continue;
        }
        let mut tally = Tally::default();
        let stride = if is_full() || asked("DAMAGE_AT").is_some() { 1 } else { 7 };
        for (path, bytes) in &lab.files {
            if !only("DAMAGE_FILE", file_name(path)) {
                continue;
            }
            // Between frames a cut leaves nothing torn: those lengths are always tried.
            let ends = lab.frame_ends(path);
            for len in 0..bytes.len() {
                let chosen = len % stride == 0 || ends.contains(&len);
                if chosen && only("DAMAGE_AT", &len.to_string()) {
                    try_length(&lab, path, len, bytes[..len].to_vec(), "cut", &mut tally);
                }
            }
            for (number, tail) in (bytes.len()..).zip(tails(bytes)) {
                if only("DAMAGE_AT", &number.to_string()) {
                    let longer = [&bytes[..], &tail].concat();
                    try_length(&lab, path, number, longer, "made longer", &mut tally);
                }
            }
        }
        println!("{}, one length in {stride}:\n{tally}", lab.name);
        assert!(tally.tried() > 0, "nothing was changed");
    }
}
