//! Which part of a file a byte lies in.

use std::path::Path;

use asofdb::inspect::{self, Field};
use asofdb_format::frame::{self, FRAME_HEAD_LEN, Seed};
use asofdb_format::header::{FileKind, HEADER_LEN, Header};

use crate::stores::Lab;

/// The sections of a table that hold anything in one of the small stores.
pub const SECTIONS: [&str; 9] = [
    "history",
    "far",
    "heads",
    "directory",
    "metadata",
    "checksums",
    "freshness",
    "timeline",
    "hints",
];

/// Parts of an undamaged file, with where each begins.
pub struct Parts(Vec<(usize, &'static str)>);

fn place(n: u64) -> usize {
    usize::try_from(n).unwrap()
}

impl Parts {
    /// The parts of a file of a store.
    pub fn of(lab: &Lab, path: &Path) -> Self {
        let bytes = &lab.files[path];
        let header = Header::decode(bytes).unwrap();
        let mut parts = vec![(0, "header")];
        match header.kind {
            FileKind::Current => {}
            FileKind::Manifest | FileKind::Log => {
                let seed = Seed::of(header.store, header.number);
                let (frames, _) = frame::decode_all(bytes, HEADER_LEN, seed);
                for frame in frames {
                    parts.push((place(frame.start), "head of a frame"));
                    if !frame.payload.is_empty() {
                        parts.push((place(frame.start) + FRAME_HEAD_LEN, "payload of a frame"));
                    }
                }
            }
            FileKind::Table => {
                let mut end = HEADER_LEN;
                let dumped = inspect::dump_file(path, &lab.sim.world(), &mut |item| {
                    let field = |name| item.fields.iter().find(|(of, _)| *of == name);
                    let (Some((_, Field::Text(name))), Some((_, Field::Count(start)))) =
                        (field("name"), field("offset"))
                    else {
                        return;
                    };
                    let Some((_, Field::Count(len))) = field("bytes") else { return };
                    if let Some(name) = SECTIONS.iter().find(|known| *known == name) {
                        parts.push((place(*start), name));
                        end = end.max(place(start + len));
                    }
                });
                dumped.unwrap();
                parts.push((end, "table of sections"));
                parts.push((bytes.len() - asofdb_format::table::FOOTER_LEN, "footer"));
            }
        }
        // An empty section begins where the next one does: the next one has the bytes.
        parts.sort_by_key(|(start, _)| *start);
        Self(parts)
    }

    /// The part that a byte lies in.
    pub fn at(&self, offset: usize) -> &'static str {
        self.0.iter().rfind(|(start, _)| *start <= offset).map_or("beyond the end", |part| part.1)
    }
}

impl Lab {
    /// Where the frames of a file end; none if it has none.
    pub fn frame_ends(&self, path: &Path) -> Vec<usize> {
        let bytes = &self.files[path];
        let header = Header::decode(bytes).unwrap();
        if !matches!(header.kind, FileKind::Manifest | FileKind::Log) {
            return Vec::new();
        }
        let seed = Seed::of(header.store, header.number);
        let (frames, _) = frame::decode_all(bytes, HEADER_LEN, seed);
        frames.iter().map(|frame| place(frame.end)).collect()
    }
}
