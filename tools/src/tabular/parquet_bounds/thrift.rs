//! What Parquet writes about itself, in Thrift's compact protocol, walked through before the library
//! reads it.
//!
//! The library takes room for as many elements as a list says that it has, and reads each field by
//! its number, whatever type the file gives it. So every length and count is held against the bytes
//! that are there, and fields that the library knows must have the type that it takes them for:
//! otherwise it would find lists where none was seen here.

/// What a field holds.
pub enum Shape {
    Bool,
    Byte,
    Int,
    /// A number that the walker keeps, under an index of `Walker::noted`.
    Noted(usize),
    /// A truth that the walker keeps likewise.
    Flag(usize),
    Double,
    Binary,
    List(&'static Self),
    Struct(&'static [(i16, Self)]),
    /// An element of the schema, whose number of children is kept in `Walker::children`.
    Element(&'static [(i16, Self)]),
}

use Shape::{Binary, Bool, Byte, Double, Element, Flag, Int, List, Noted, Struct};

const EMPTY: Shape = Struct(&[]);
const DECIMAL: Shape = Struct(&[(1, Int), (2, Int)]);
const UNIT: Shape = Struct(&[(1, EMPTY), (2, EMPTY), (3, EMPTY)]);
const TIME: Shape = Struct(&[(1, Bool), (2, UNIT)]);
const LOGICAL: Shape = Struct(&[
    (1, EMPTY),
    (2, EMPTY),
    (3, EMPTY),
    (4, EMPTY),
    (5, DECIMAL),
    (6, EMPTY),
    (7, TIME),
    (8, TIME),
    (10, Struct(&[(1, Byte), (2, Bool)])),
    (11, EMPTY),
    (12, EMPTY),
    (13, EMPTY),
    (14, EMPTY),
    (15, EMPTY),
    (16, Struct(&[(1, Byte)])),
    (17, Struct(&[(1, Binary)])),
    (18, Struct(&[(1, Binary), (2, Int)])),
]);
const CHILDREN: usize = 0;
const ELEMENT: Shape = Element(&[
    (1, Int),
    (2, Int),
    (3, Int),
    (4, Binary),
    (5, Noted(CHILDREN)),
    (6, Int),
    (7, Int),
    (8, Int),
    (9, Int),
    (10, LOGICAL),
]);
const STATISTICS: Shape = Struct(&[
    (1, Binary),
    (2, Binary),
    (3, Int),
    (4, Int),
    (5, Binary),
    (6, Binary),
    (7, Bool),
    (8, Bool),
]);
const SIZES: Shape = Struct(&[(1, Int), (2, List(&Int)), (3, List(&Int))]);
const BOX: Shape = Struct(&[
    (1, Double),
    (2, Double),
    (3, Double),
    (4, Double),
    (5, Double),
    (6, Double),
    (7, Double),
    (8, Double),
]);
const PAIR: Shape = Struct(&[(1, Binary), (2, Binary)]);
const COLUMN: Shape = Struct(&[
    (1, Int),
    (2, List(&Int)),
    (4, Int),
    (5, Int),
    (6, Int),
    (7, Int),
    (9, Int),
    (10, Int),
    (11, Int),
    (12, STATISTICS),
    (13, List(&Struct(&[(1, Int), (2, Int), (3, Int)]))),
    (14, Int),
    (15, Int),
    (16, SIZES),
    (17, Struct(&[(1, BOX), (2, List(&Int))])),
]);
const CHUNK: Shape =
    Struct(&[(1, Binary), (2, Int), (3, COLUMN), (4, Int), (5, Int), (6, Int), (7, Int)]);
const GROUP: Shape = Struct(&[
    (1, List(&CHUNK)),
    (2, Int),
    (3, Int),
    (4, List(&Struct(&[(1, Int), (2, Bool), (3, Bool)]))),
    (5, Int),
    (7, Int),
]);
const FOOTER: Shape = Struct(&[
    (1, Int),
    (2, List(&ELEMENT)),
    (3, Int),
    (4, List(&GROUP)),
    (5, List(&PAIR)),
    (6, Binary),
    (7, List(&Struct(&[(1, EMPTY)]))),
]);

/// What the header of a page says, as indices of `Walker::noted`.
pub const KIND: usize = 0;
pub const UNPACKED: usize = 1;
pub const PACKED: usize = 2;
pub const VALUES: usize = 3;
pub const DICTIONARY_VALUES: usize = 4;
pub const VALUES_2: usize = 5;
pub const DEFINITION_BYTES: usize = 6;
pub const REPETITION_BYTES: usize = 7;
pub const IS_PACKED: usize = 8;
/// What a header says, where it says it.
pub type Said = [Option<i64>; 9];
const PAGE: Shape = Struct(&[
    (1, Noted(KIND)),
    (2, Noted(UNPACKED)),
    (3, Noted(PACKED)),
    (4, Int),
    (5, Struct(&[(1, Noted(VALUES)), (2, Int), (3, Int), (4, Int)])),
    (6, EMPTY),
    (7, Struct(&[(1, Noted(DICTIONARY_VALUES)), (2, Int), (3, Bool)])),
    (
        8,
        Struct(&[
            (1, Noted(VALUES_2)),
            (2, Int),
            (3, Int),
            (4, Int),
            (5, Noted(DEFINITION_BYTES)),
            (6, Noted(REPETITION_BYTES)),
            (7, Flag(IS_PACKED)),
        ]),
    ),
]);

/// Structures and lists in one another: those of Parquet need ten.
const DEPTH: usize = 32;
/// Groups of columns in one another: the library goes down them by recursion.
const SCHEMA_DEPTH: usize = 64;

/// Why something cannot be walked through.
#[derive(Debug, PartialEq, Eq)]
pub enum Fault {
    /// It goes on behind the bytes that were given.
    Short,
    /// It is not what Parquet writes.
    Wrong(String),
}

fn wrong<T>(what: impl Into<String>) -> Result<T, Fault> {
    Err(Fault::Wrong(what.into()))
}

/// What a walk has found.
#[derive(Default)]
struct Walker<'a> {
    rest: &'a [u8],
    /// Whether more bytes may follow than were given.
    is_piece: bool,
    noted: Said,
    children: Vec<Option<i64>>,
}

/// Walks through a footer.
pub fn footer(bytes: &[u8]) -> Result<(), String> {
    let mut walker = Walker { rest: bytes, ..Walker::default() };
    let walked = walker.structure(fields_of(&FOOTER), 0).and_then(|()| tree(&walker.children));
    walked.map_err(|fault| match fault {
        Fault::Short => "its footer says that it is longer than it is".to_owned(),
        Fault::Wrong(what) => format!("in its footer {what}"),
    })
}

/// Walks through the header of a page at the front of these bytes; gives its length and what it
/// says.
pub fn page_header(bytes: &[u8]) -> Result<(usize, Said), Fault> {
    let mut walker = Walker { rest: bytes, is_piece: true, ..Walker::default() };
    walker.structure(fields_of(&PAGE), 0)?;
    Ok((bytes.len() - walker.rest.len(), walker.noted))
}

/// The schema is a list that tells a tree: each element is followed by its children.
fn tree(children: &[Option<i64>]) -> Result<(), Fault> {
    let mut open: Vec<usize> = Vec::new();
    for (index, count) in children.iter().enumerate() {
        match open.last_mut() {
            Some(more) => *more -= 1,
            None if index > 0 => return wrong("the schema has more than one root"),
            None => {}
        }
        let there = children.len() - index - 1;
        match usize::try_from(count.unwrap_or(0)) {
            Ok(count) if count <= there => open.push(count),
            _ => {
                return wrong(format!(
                    "a group of the schema says that it has {} columns, and {there} follow",
                    count.unwrap_or(0)
                ));
            }
        }
        if open.len() > SCHEMA_DEPTH {
            return wrong(format!("columns lie deeper than {SCHEMA_DEPTH} groups"));
        }
        while open.last() == Some(&0) {
            open.pop();
        }
    }
    Ok(())
}

const fn fields_of(shape: &Shape) -> &'static [(i16, Shape)] {
    match shape {
        Struct(fields) | Element(fields) => fields,
        _ => &[],
    }
}

impl Walker<'_> {
    fn byte(&mut self) -> Result<u8, Fault> {
        let (&byte, rest) = self.rest.split_first().ok_or(Fault::Short)?;
        self.rest = rest;
        Ok(byte)
    }

    fn number(&mut self) -> Result<u64, Fault> {
        let mut number = 0;
        for shift in (0..70).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        wrong("a number has more than ten bytes")
    }

    fn signed(&mut self) -> Result<i64, Fault> {
        let number = self.number()?;
        Ok((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }

    fn skip(&mut self, bytes: u64) -> Result<(), Fault> {
        let bytes = usize::try_from(bytes).map_err(|_| Fault::Short)?;
        self.rest = self.rest.get(bytes..).ok_or(Fault::Short)?;
        Ok(())
    }

    #[expect(clippy::unnecessary_wraps, reason = "what a value ends with")]
    fn note(&mut self, index: usize, number: i64) -> Result<(), Fault> {
        if let Some(noted) = self.noted.get_mut(index) {
            *noted = Some(number);
        }
        Ok(())
    }

    fn value(&mut self, wire: u8, shape: Option<&Shape>, depth: usize) -> Result<(), Fault> {
        if depth > DEPTH {
            return wrong(format!("fields lie deeper than {DEPTH} others"));
        }
        match (wire, shape) {
            (1 | 2, None | Some(Bool)) => Ok(()),
            (1 | 2, Some(Flag(index))) => self.note(*index, i64::from(wire == 1)),
            (3, None | Some(Byte)) => self.skip(1),
            (4..=6, Some(Noted(index))) => {
                let number = self.signed()?;
                self.note(*index, number)
            }
            (4..=6, None | Some(Int)) => self.number().map(drop),
            (7, None | Some(Double)) => self.skip(8),
            (8, None | Some(Binary)) => {
                let bytes = self.number()?;
                self.skip(bytes)
            }
            (9, None) => self.list(None, depth),
            (9, Some(List(of))) => self.list(Some(of), depth),
            (12, None) => self.structure(&[], depth),
            (12, Some(Struct(fields))) => self.structure(fields, depth),
            (12, Some(Element(fields))) => {
                self.noted[CHILDREN] = None;
                self.structure(fields, depth)?;
                self.children.push(self.noted[CHILDREN].take());
                Ok(())
            }
            _ => wrong("a field has another type than Parquet gives it"),
        }
    }

    fn list(&mut self, of: Option<&Shape>, depth: usize) -> Result<(), Fault> {
        let head = self.byte()?;
        let count = if head >> 4 == 15 { self.number()? } else { u64::from(head >> 4) };
        let there = self.rest.len() as u64;
        if count > there && self.is_piece {
            return Err(Fault::Short);
        }
        if count > there {
            return wrong(format!(
                "a list says that it has {count} elements, and {there} bytes follow"
            ));
        }
        // Lists of booleans are read in one way by some and in another by others.
        if count > 0 && matches!(head & 15, 1 | 2) {
            return wrong("there is a list of booleans, which Parquet does not have");
        }
        (0..count).try_for_each(|_| self.value(head & 15, of, depth + 1))
    }

    fn structure(&mut self, fields: &[(i16, Shape)], depth: usize) -> Result<(), Fault> {
        let mut id = 0_i16;
        loop {
            let head = self.byte()?;
            if head & 15 == 0 {
                return Ok(());
            }
            let next = match head >> 4 {
                0 => i16::try_from(self.signed()?).ok(),
                delta => id.checked_add(i16::from(delta)),
            };
            let Some(next) = next else { return wrong("a field has no possible number") };
            id = next;
            let known = fields.iter().find(|(known, _)| *known == id);
            self.value(head & 15, known.map(|(_, shape)| shape), depth + 1)?;
        }
    }
}
