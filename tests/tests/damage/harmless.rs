//! Why damage may go without an error, proven file by file from what was changed.

use std::path::Path;

use asofdb_format::edit::{self, Edit};
use asofdb_format::frame::{self, Seed};
use asofdb_format::header::{HEADER_LEN, Header};

use crate::stores::Lab;
use crate::tally::kind_of;
use crate::trial::Damage;

/// Why the damage to a store does no harm.
///
/// # Panics
/// If there is no reason.
pub fn why(lab: &Lab, damage: &Damage) -> &'static str {
    let changed = damage.0.iter().filter(|(path, bytes)| lab.files.get(path) != bytes.as_ref());
    let reasons: Vec<&str> = changed
        .map(|(path, bytes)| {
            let bytes = bytes.as_deref().unwrap_or_default();
            why_of_file(lab, path, bytes)
                .unwrap_or_else(|| panic!("{}: harmless for no reason", path.display()))
        })
        .collect();
    reasons.first().copied().unwrap()
}

fn why_of_file(lab: &Lab, path: &Path, bytes: &[u8]) -> Option<&'static str> {
    if lab.tail.as_ref().is_some_and(|tail| tail.path == path) {
        // What was answered was held against what a cut there leaves.
        return Some("in the newest log, past all that is told to be durable");
    }
    let sound = &lab.files[path];
    if kind_of(path) != "MANIFEST" {
        return None;
    }
    let same = sound.iter().zip(bytes).take_while(|(a, b)| a == b).count();
    if same == sound.len() {
        return Some("behind the end of the manifest");
    }
    let header = Header::decode(sound).unwrap();
    let seed = Seed::of(header.store, header.number);
    let (frames, _) = frame::decode_all(sound, HEADER_LEN, seed);
    let lost = frames.iter().filter(|frame| frame.end > same as u64);
    let lost: Vec<Edit> = lost.flat_map(|frame| edit::decode_all(frame.payload).unwrap()).collect();
    if lost.is_empty() {
        return Some("in the last frame of the manifest, which holds nothing");
    }
    // Without it the store is opened as after a crash that lost nothing.
    let of_close =
        |edit: &Edit| matches!(edit, Edit::SealLog(..) | Edit::Clock(..) | Edit::NextFile(_));
    lost.iter().all(of_close).then_some("in the edit by which the store was closed")
}
