//! What any disk must do, checked on the real one and on the simulated one alike: a simulation
//! that differs from the system finds the wrong faults.

use std::io::ErrorKind;
use std::path::Path;

use super::*;

fn kind<T>(result: io::Result<T>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

fn content(disk: &dyn Disk, path: &Path) -> Vec<u8> {
    let file = disk.open(path).unwrap();
    let mut bytes = vec![0; usize::try_from(file.len().unwrap()).unwrap()];
    file.read_at(0, &mut bytes).unwrap();
    bytes
}

fn listed(disk: &dyn Disk, dir: &Path) -> Vec<String> {
    let mut names = disk.list(dir).unwrap();
    names.sort();
    names
}

/// Checks a disk in a directory that exists and is empty.
pub fn contract(disk: &dyn Disk, root: &Path) {
    directories(disk, root);
    writing_and_reading(disk, root);
    names(disk, root);
    lengths(disk, root);
    room(disk, root);
}

fn directories(disk: &dyn Disk, root: &Path) {
    let dir = root.join("a/b");
    assert_eq!(kind(disk.list(&dir)), Some(ErrorKind::NotFound));
    assert_eq!(kind(disk.sync_dir(&dir)), Some(ErrorKind::NotFound));
    assert_eq!(kind(disk.create(&dir.join("x"))), Some(ErrorKind::NotFound));
    disk.create_dir_all(&dir).unwrap();
    disk.create_dir_all(&dir).unwrap();
    disk.create(&root.join("a/file")).unwrap();
    assert_eq!(listed(disk, &root.join("a")), ["file"], "a directory is no file");
    assert_eq!(listed(disk, &dir), [""; 0]);
    disk.sync_dir(&dir).unwrap();
    assert!(disk.create_dir_all(&root.join("a/file/c")).is_err());
    assert!(disk.list(&root.join("a/file")).is_err());
    assert!(disk.remove(&dir).is_err());
    assert!(disk.rename(&root.join("a/file"), &dir).is_err());
    assert!(disk.create(&dir).is_err());
    assert_eq!(listed(disk, &root.join("a")), ["file"]);
}

fn writing_and_reading(disk: &dyn Disk, root: &Path) {
    let path = root.join("data");
    assert_eq!(kind(disk.open(&path)), Some(ErrorKind::NotFound));
    let writer = disk.create(&path).unwrap();
    assert_eq!(kind(disk.create(&path)), Some(ErrorKind::AlreadyExists));
    let reader = disk.open(&path).unwrap();
    writer.append(b"hello ").unwrap();
    writer.append(b"world").unwrap();
    writer.append(b"").unwrap();
    writer.sync().unwrap();
    assert_eq!(reader.len().unwrap(), 11, "a reader sees what was added since");
    let mut five = [0; 5];
    reader.read_at(6, &mut five).unwrap();
    assert_eq!(&five, b"world");
    assert_eq!(kind(reader.read_at(7, &mut five)), Some(ErrorKind::UnexpectedEof));
    assert_eq!(kind(reader.read_at(1 << 40, &mut five)), Some(ErrorKind::UnexpectedEof));
    reader.read_at(11, &mut []).unwrap();
    let map = disk.map(&path, 11).unwrap();
    assert_eq!(map, &b"hello world"[..]);
    assert_eq!(kind(disk.map(&path, 12)), Some(ErrorKind::UnexpectedEof));
    assert_eq!(kind(disk.map(&path, 10)), Some(ErrorKind::InvalidData));
    disk.remove(&path).unwrap();
    assert_eq!(kind(disk.open(&path)), Some(ErrorKind::NotFound));
    reader.read_at(6, &mut five).unwrap();
    writer.append(b"!").unwrap();
    writer.sync().unwrap();
    assert_eq!(reader.len().unwrap(), 12, "a file without a name goes on");
    assert_eq!((&five, &map[..]), (b"world", &b"hello world"[..]));
    disk.create(&path).unwrap();
    assert_eq!(disk.map(&path, 0).unwrap().len(), 0, "the name may be given anew");
    disk.remove(&path).unwrap();
}

fn names(disk: &dyn Disk, root: &Path) {
    let (from, to) = (root.join("from"), root.join("to"));
    assert_eq!(kind(disk.rename(&from, &to)), Some(ErrorKind::NotFound));
    assert_eq!(kind(disk.remove(&from)), Some(ErrorKind::NotFound));
    disk.create(&to).unwrap().append(b"old").unwrap();
    let old = disk.open(&to).unwrap();
    let writer = disk.create(&from).unwrap();
    writer.append(b"n").unwrap();
    disk.rename(&from, &to).unwrap();
    writer.append(b"ew").unwrap();
    disk.sync_dir(root).unwrap();
    assert_eq!(content(disk, &to), b"new");
    let mut three = [0; 3];
    old.read_at(0, &mut three).unwrap();
    assert_eq!(&three, b"old", "who had the replaced file open goes on reading it");
    assert_eq!(listed(disk, root), ["to"]);
    disk.rename(&to, &to).unwrap();
    assert_eq!(content(disk, &to), b"new");
    let elsewhere = root.join("a/b/to");
    disk.rename(&to, &elsewhere).unwrap();
    assert_eq!((listed(disk, root), listed(disk, &root.join("a/b"))), (vec![], vec!["to".into()]));
    let nowhere = root.join("nowhere/to");
    assert_eq!(kind(disk.rename(&elsewhere, &nowhere)), Some(ErrorKind::NotFound));
    assert_eq!(content(disk, &elsewhere), b"new");
}

fn lengths(disk: &dyn Disk, root: &Path) {
    let path = root.join("log");
    assert_eq!(kind(disk.truncate(&path, 0)), Some(ErrorKind::NotFound));
    let writer = disk.create(&path).unwrap();
    writer.append(b"0123456789").unwrap();
    assert_eq!(kind(disk.truncate(&path, 11)), Some(ErrorKind::InvalidInput));
    disk.truncate(&path, 4).unwrap();
    assert_eq!(content(disk, &path), b"0123");
    writer.append(b"x").unwrap();
    let holed = b"0123\0\0\0\0\0\0x";
    assert_eq!(content(disk, &path), holed, "a writer knows nothing of what others cut off");
    disk.remove(&path).unwrap();
}

fn room(disk: &dyn Disk, root: &Path) {
    let path = root.join("room");
    let writer = disk.create(&path).unwrap();
    writer.append(b"01").unwrap();
    writer.make_room(4).unwrap();
    writer.sync().unwrap();
    assert_eq!(content(disk, &path), b"01\0\0\0\0");
    writer.append(b"23").unwrap();
    assert_eq!(content(disk, &path), b"0123\0\0", "what is added comes where the zeros began");
    writer.make_room(3).unwrap();
    assert_eq!(content(disk, &path), b"0123\0\0\0", "room is counted from what was added");
    writer.take_room_back().unwrap();
    assert_eq!(content(disk, &path), b"0123");
    writer.take_room_back().unwrap();
    writer.append(b"4").unwrap();
    writer.make_room(1).unwrap();
    writer.append(b"56").unwrap();
    assert_eq!(content(disk, &path), b"0123456", "it may be more than there is room for");
    disk.remove(&path).unwrap();
}

/// Checks that a lock excludes a second store in the same process, and ends with its box.
pub fn two_writers_cannot_hold_the_lock(disk: &dyn Disk, root: &Path) {
    let path = root.join("LOCK");
    let first = disk.lock(&path).unwrap().unwrap();
    assert!(disk.lock(&path).unwrap().is_none());
    assert!(disk.lock(&root.join("OTHER")).unwrap().is_some());
    drop(first);
    let again = disk.lock(&path).unwrap().unwrap();
    assert!(disk.lock(&path).unwrap().is_none());
    drop(again);
    assert_eq!(listed(disk, root), ["LOCK", "OTHER"], "the file stays");
    assert_eq!(kind(disk.lock(&root.join("nowhere/LOCK"))), Some(ErrorKind::NotFound));
}
