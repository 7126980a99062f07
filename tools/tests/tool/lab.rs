//! A directory of its own for each test, and the tool run in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A directory that goes away with the test.
pub struct Lab {
    dir: TempDir,
}

/// What a command did.
#[derive(Debug)]
pub struct Done {
    /// Its exit code.
    pub code: i32,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
}

impl Lab {
    /// An empty directory.
    pub fn new() -> Self {
        Self { dir: TempDir::new().unwrap() }
    }

    /// The path of a file in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).unwrap();
    }

    /// Reads a file.
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// The tool with these words, which spaces separate; `'...'` keeps them together.
    pub fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_asofdb"));
        command.current_dir(self.dir.path()).args(words(line)).stdin(Stdio::null());
        command
    }

    /// Runs the tool.
    pub fn run(&self, line: &str) -> Done {
        Done::of(self.command(line).output().unwrap())
    }

    /// Runs the tool with a file as its standard input.
    pub fn run_with_input(&self, line: &str, input: &str) -> Done {
        let file = fs::File::open(self.path(input)).unwrap();
        Done::of(self.command(line).stdin(file).output().unwrap())
    }

    /// Runs the tool, which must succeed without a warning; gives its output.
    #[track_caller]
    pub fn ok(&self, line: &str) -> String {
        let done = self.run(line);
        assert_eq!((done.code, done.err.as_str()), (0, ""), "{line}\n{}", done.out);
        done.out
    }

    /// Runs the tool, which must fail with this code and this error.
    #[track_caller]
    pub fn fails(&self, code: i32, line: &str, error: &str) {
        let done = self.run(line);
        assert_eq!(done.err.trim_end(), error, "{line}");
        assert_eq!(done.code, code, "{line}");
        assert_eq!(done.out, "", "{line}");
    }

    /// The output of a command as JSON.
    #[track_caller]
    pub fn json(&self, line: &str) -> serde_json::Value {
        serde_json::from_str(&self.ok(&format!("{line} --json"))).unwrap()
    }

    /// How many records the store holds, corrected ones counted too.
    #[track_caller]
    pub fn records(&self) -> u64 {
        self.json("stats store")["records"].as_u64().unwrap()
    }
}

impl Done {
    fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted, mut begun) = (Vec::new(), String::new(), false, false);
    for symbol in line.chars() {
        match symbol {
            '\'' => (quoted, begun) = (!quoted, true),
            ' ' if !quoted => {
                if std::mem::take(&mut begun) {
                    words.push(std::mem::take(&mut word));
                }
            }
            _ => {
                begun = true;
                word.push(symbol);
            }
        }
    }
    if begun {
        words.push(word);
    }
    words
}

/// Compares with a file of expected output.
#[track_caller]
pub fn golden(name: &str, found: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tool/golden").join(name);
    if std::env::var_os("ASOF_REWRITE").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, found).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(found, expected, "{} (ASOF_REWRITE=1 writes it anew)", path.display());
}
