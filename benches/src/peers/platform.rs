//! What the figures were made on and by which build: processor, memory, kernel, file system, day,
//! commit, command.

use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::peers::memory::kilobytes;

const UNKNOWN: &str = "unknown";

/// All of it, a line each. The folder is where the stores are.
pub fn lines(dir: &Path) -> Vec<String> {
    let info = read("/proc/cpuinfo");
    let named = info.lines().find_map(|line| line.strip_prefix("model name"));
    let model = named.map_or(UNKNOWN, |rest| rest.trim_start_matches([' ', '\t', ':']));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = kilobytes("/proc/meminfo", "MemTotal") >> 20;
    vec![
        format!("processor: {model}, {cores} cores; caches: {}", caches()),
        format!("memory: {memory} MiB; transparent huge pages: {}", huge_pages()),
        format!("kernel: {}; stores on: {}", line("/proc/sys/kernel/osrelease"), file_system(dir)),
        format!("day: {}; commit: {}", today(), commit()),
        format!("command: {}", command()),
    ]
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// A file of one line.
fn line(path: &str) -> String {
    let text = read(path);
    if text.trim().is_empty() { UNKNOWN.to_owned() } else { text.trim().to_owned() }
}

/// The caches for data of the first core.
fn caches() -> String {
    let mut told = Vec::new();
    for index in 0..8 {
        let of = |what: &str| {
            let path = format!("/sys/devices/system/cpu/cpu0/cache/index{index}/{what}");
            read(&path).trim().to_owned()
        };
        let (level, kind, size) = (of("level"), of("type"), of("size"));
        match kind.as_str() {
            "Data" => told.push(format!("L{level}d {size}")),
            "Unified" => told.push(format!("L{level} {size}")),
            _ => {}
        }
    }
    if told.is_empty() { UNKNOWN.to_owned() } else { told.join(", ") }
}

/// When the system gives large pages that no file backs: the word in brackets.
fn huge_pages() -> String {
    let told = read("/sys/kernel/mm/transparent_hugepage/enabled");
    let chosen = told.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
    match chosen.map(|(chosen, _)| chosen) {
        Some("always") => "given to all".to_owned(),
        Some("madvise") => "given to who asks".to_owned(),
        Some("never") => "not given".to_owned(),
        _ => UNKNOWN.to_owned(),
    }
}

/// The type of the file system that holds a folder: that of the mount nearest above it, of several
/// there the last one.
fn file_system(dir: &Path) -> String {
    let dir = std::fs::canonicalize(dir).unwrap_or_else(|_| dir.to_path_buf());
    let mounts = read("/proc/self/mountinfo");
    let above = mounts.lines().filter_map(|line| {
        let (mount, kind) = line.split_once(" - ")?;
        let at = Path::new(mount.split(' ').nth(4)?);
        dir.starts_with(at).then(|| (at.components().count(), kind.split(' ').next()))
    });
    let nearest = above.max_by_key(|(depth, _)| *depth);
    nearest.and_then(|(_, kind)| kind).unwrap_or(UNKNOWN).to_owned()
}

/// The day in UTC.
fn today() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let days = since.as_secs() / 86_400 + 719_468;
    // Days from the first of March of a year that 400 divides.
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, later) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    format!("{:04}-{month:02}-{day:02}", era * 400 + year + later)
}

/// The commit of the sources, and whether they differ from it.
fn commit() -> String {
    let git = |args: &[&str]| {
        let mut git = Command::new("git");
        let output = git.args(["-C", env!("CARGO_MANIFEST_DIR")]).args(args).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| text.trim().to_owned())
    };
    let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"]) else {
        return UNKNOWN.to_owned();
    };
    let is_clean = git(&["status", "--porcelain"]).is_some_and(|changes| changes.is_empty());
    if is_clean { commit } else { format!("{commit} + changes") }
}

/// The command as one types it, but for where the report goes.
fn command() -> String {
    let built_in = [
        ("rocksdb", cfg!(feature = "rocksdb")),
        ("lmdb", cfg!(feature = "lmdb")),
        ("fjall", cfg!(feature = "fjall")),
        ("redb", cfg!(feature = "redb")),
    ];
    let features: Vec<&str> =
        built_in.iter().filter(|(_, is_in)| *is_in).map(|(name, _)| *name).collect();
    let mut words = vec!["cargo run --release -p asofdb-benches".to_owned()];
    if features.len() == built_in.len() {
        words.push("--features peers".to_owned());
    } else if !features.is_empty() {
        words.push(format!("--features {}", features.join(",")));
    }
    words.push("--".to_owned());
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        if arg == "--markdown" {
            args.next();
        } else if !arg.starts_with("--markdown=") {
            words.push(arg);
        }
    }
    words.join(" ")
}
