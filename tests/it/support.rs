//! Running the binary in a folder of its own.

pub(crate) mod postgres;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rethread::contract::Overrides;
use tempfile::TempDir;

/// A folder of one test, and how the program is called in it.
pub(crate) struct Place {
    folder: TempDir,
    env: Vec<(&'static str, &'static str)>,
}

/// What a call ended with.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Place {
    /// A new empty folder.
    pub(crate) fn new() -> Self {
        Self { folder: TempDir::new().expect("a temporary folder"), env: Vec::new() }
    }

    /// Calls from here on see this variable.
    pub(crate) fn env(mut self, name: &'static str, value: &'static str) -> Self {
        self.env.push((name, value));
        self
    }

    /// A path in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> &Self {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, content).expect("a file");
        self
    }

    /// The folder of the snapshot that a bundle was made of, by its `bundle.json`.
    pub(crate) fn snapshot_of(&self, bundle: &serde_json::Value) -> PathBuf {
        let wanted = bundle["snapshot"]["digest"].as_str().expect("a digest");
        let folders = std::fs::read_dir(self.path("snapshots")).expect("a folder of snapshots");
        let mut folders = folders.map(|entry| entry.expect("a folder").path());
        let is_it = |folder: &PathBuf| rethread::bag::digest(folder).is_ok_and(|it| it == wanted);
        folders.find(is_it).expect("the bundle's snapshot")
    }

    /// Calls the program in the folder, with an environment of its own.
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        let output = self.command(args).output().expect("the program starts");
        Output {
            code: output.status.code().expect("an exit code"),
            stdout: String::from_utf8(output.stdout).expect("UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    }

    /// Calls the program so that it dies at a point of its work; `None` when it did, the exit code
    /// when it came to its end before.
    pub(crate) fn run_until(&self, args: &[&str], point: u32) -> Option<i32> {
        let mut command = self.command(args);
        let command = command.env("RETHREAD_STOP_AT", point.to_string());
        command.output().expect("the program starts").status.code()
    }

    /// The call, not yet started.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rethread"));
        command.args(args).current_dir(self.folder.path()).env_clear().stdin(Stdio::null());
        command.envs(self.env.iter().copied());
        command
    }
}

impl Output {
    /// Checks the exit code and gives stdout.
    #[track_caller]
    pub(crate) fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// What stderr says from the error on, without the steps before it.
    pub(crate) fn error(&self) -> String {
        let lines = self.stderr.lines().skip_while(|line| !line.starts_with("error: "));
        lines.collect::<Vec<_>>().join("\n")
    }

    /// stdout as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).expect("stdout is one JSON object")
    }
}

/// A file of `tests/fixtures`.
pub(crate) fn fixture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
    path.to_str().expect("UTF-8").to_owned()
}

/// Arguments that fill every blank of the built-in contract.
pub(crate) fn released() -> [String; 2] {
    ["--release".to_owned(), fixture("release.toml")]
}

/// The same for the library.
pub(crate) fn filled() -> Overrides {
    let text = std::fs::read_to_string(fixture("release.toml")).expect("a release file");
    Overrides { release: Some(("release.toml".to_owned(), text)), ..Overrides::default() }
}

/// Copies a folder and everything in it.
pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy(&from, &to);
        } else {
            std::fs::copy(&from, &to).expect("a copy");
        }
    }
}

/// Every file under a folder.
pub(crate) fn files(root: PathBuf) -> Vec<PathBuf> {
    let mut folders = vec![root];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found
}
