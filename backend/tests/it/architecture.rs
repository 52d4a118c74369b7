//! The repository's own rules: who imports whom, what never reaches the browser, where raw colours and DataFusion may
//! stand. Asks `cargo` and `git` about this checkout and reads its files; starts no server and changes nothing.
//! A failure names the file and line, or the path of dependencies that led to the forbidden one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Each of our crates and those of ours it may import, for its code, its tests and its build alike.
const IMPORTS: [(&str, &[&str]); 9] = [
    ("model", &[]),
    ("engine", &["model"]),
    ("lake", &["model"]),
    ("adapters", &["engine", "lake"]),
    ("query", &["lake"]),
    ("app", &["columns", "model"]),
    ("columns", &[]),
    ("frontend", &["app"]),
    ("backend", &["adapters", "app", "engine", "lake", "model", "query"]),
];

/// What may stand at the top of the repository, beside dot-files.
const TOP: [&str; 12] = [
    "ARCHITECTURE.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "Makefile",
    "README.md",
    "app",
    "backend",
    "e2e",
    "frontend",
    "pipeline",
    "style",
];

/// Lines a source file may have before it should be parted at a seam.
const FILE_LINES_MAX: usize = 600;
const SOURCE_EXTENSIONS: [&str; 9] = ["rs", "css", "ts", "js", "mjs", "sh", "py", "slt", "md"];

/// A package by name, or every package whose name starts so.
#[derive(Clone, Copy)]
enum Package {
    Named(&'static str),
    Family(&'static str),
}

impl Package {
    fn covers(self, name: &str) -> bool {
        match self {
            Package::Named(exact) => name == exact,
            Package::Family(start) => name.starts_with(start),
        }
    }
}

/// Never in a page, nor in what renders pages.
const SERVER_ONLY: [Package; 6] = [
    Package::Family("datafusion"),
    Package::Named("rocksdb"),
    Package::Named("librocksdb-sys"),
    Package::Family("iceberg"),
    Package::Named("parquet"),
    Package::Family("aws-"),
];

/// Never in the browser, beside those: the runtime, and Arrow's umbrella crate with its csv, json and parquet.
const NATIVE_ONLY: [Package; 2] = [Package::Named("tokio"), Package::Named("arrow")];

/// One version each, or values of one could not be handed to the other.
const ONE_VERSION: [Package; 7] = [
    Package::Named("arrow"),
    Package::Family("arrow-"),
    Package::Family("datafusion"),
    Package::Named("iceberg"),
    Package::Named("leptos"),
    Package::Named("leptos-use"),
    Package::Named("parquet"),
];

#[test]
fn crates_import_only_what_the_layout_allows() {
    let rules: BTreeMap<&str, &[&str]> = IMPORTS.into_iter().collect();
    let mut wrong = Vec::new();
    for package in our_packages() {
        let name = text(&package["name"]);
        let Some(allowed) = rules.get(name.as_str()) else {
            wrong.push(format!("crate {name} has no place in the layout"));
            continue;
        };
        for dependency in package["dependencies"].as_array().expect("cargo metadata lists dependencies") {
            let imported = text(&dependency["name"]);
            if rules.contains_key(imported.as_str()) && !allowed.contains(&imported.as_str()) {
                wrong.push(format!("{name} imports {imported}; it may import {allowed:?}"));
            }
        }
    }
    assert_none("imports against the layout", &wrong);
}

#[test]
fn the_browser_gets_no_server_code() {
    let tree = ["-p", "frontend", "--target", "wasm32-unknown-unknown"];
    assert_absent(&tree, SERVER_ONLY.iter().chain(&NATIVE_ONLY));
}

#[test]
fn rendering_on_the_server_needs_no_storage_or_query_code() {
    assert_absent(&["-p", "app", "--features", "ssr"], &SERVER_ONLY);
}

#[test]
fn libraries_whose_types_cross_crates_have_one_version() {
    let mut versions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let lock = read(&root().join("Cargo.lock"));
    let mut lines = lock.lines();
    while let Some(line) = lines.next() {
        if let Some(name) = quoted(line, "name = ") {
            let version =
                lines.next().and_then(|line| quoted(line, "version = ")).expect("a version follows each name");
            versions.entry(name.to_owned()).or_default().insert(version.to_owned());
        }
    }
    assert!(versions.contains_key("arrow-array"), "Cargo.lock was not understood");
    let twice: Vec<String> = versions
        .iter()
        .filter(|(name, found)| found.len() > 1 && ONE_VERSION.iter().any(|package| package.covers(name)))
        .map(|(name, found)| format!("{name}: {found:?}"))
        .collect();
    assert_none("packages in several versions", &twice);
}

#[test]
fn only_known_names_stand_at_the_top() {
    let strangers: BTreeSet<String> = files()
        .iter()
        .filter_map(|file| file.split('/').next())
        .filter(|name| !name.starts_with('.') && !TOP.contains(name))
        .map(str::to_owned)
        .collect();
    assert_none("unknown names at the top", &Vec::from_iter(strangers));
}

#[test]
fn raw_colours_are_tokens() {
    let mut wrong = Vec::new();
    for file in files() {
        let styled = file.starts_with("style/") && file.ends_with(".css") && file != "style/tokens.css";
        let in_app = file.starts_with("app/src/") && file.ends_with(".rs");
        if !styled && !in_app {
            continue;
        }
        for (number, line) in code_lines(&file) {
            if let Some(colour) = raw_colour(&line) {
                wrong.push(format!("{file}:{number}: {colour}"));
            }
        }
    }
    assert_none("raw colours outside style/tokens.css", &wrong);
}

#[test]
fn raw_colours_are_recognised() {
    for line in
        ["color: #fff;", "x: #1a2B3c", "rgb(1, 2, 3)", "rgba( 0 0 0 / 50%)", "hsl(20deg 1% 2%)", "RGBColor(1, 2, 3)"]
    {
        assert!(raw_colour(line).is_some(), "{line}");
    }
    for line in [
        "#[derive(Debug)]",
        "var(--ink)",
        "&#8212;",
        "href=\"#skip\"",
        "rgb(var(--x))",
        "strip_prefix(\"rgb(\")",
        "#12345",
    ] {
        assert!(raw_colour(line).is_none(), "{line}");
    }
}

#[test]
fn datafusion_is_used_in_the_query_crate_alone() {
    let mut wrong = Vec::new();
    for package in our_packages() {
        let name = text(&package["name"]);
        for dependency in package["dependencies"].as_array().expect("cargo metadata lists dependencies") {
            let imported = text(&dependency["name"]);
            if imported.starts_with("datafusion") && name != "query" {
                wrong.push(format!("{name} depends on {imported}"));
            }
        }
    }
    for file in files().iter().filter(|file| file.ends_with(".rs") && !file.starts_with("pipeline/query/")) {
        for (number, line) in code_lines(file) {
            // Assembled, or this line would be found.
            if line.contains(concat!("data", "fusion::")) {
                wrong.push(format!("{file}:{number}: {}", line.trim()));
            }
        }
    }
    assert_none("uses of DataFusion outside pipeline/query", &wrong);
}

#[test]
fn source_files_stay_readable_in_one_sitting() {
    let long: Vec<String> = files()
        .into_iter()
        .filter(|file| SOURCE_EXTENSIONS.contains(&extension(file)))
        .map(|file| (read(&root().join(&file)).lines().count(), file))
        .filter(|(lines, _)| *lines > FILE_LINES_MAX)
        .map(|(lines, file)| format!("{file}: {lines} lines"))
        .collect();
    assert_none("files longer than 600 lines", &long);
}

#[test]
fn nothing_unfinished_and_no_machine_paths() {
    let words = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
    let paths = [concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/wo", "rk/")];
    let mut wrong = Vec::new();
    for file in files() {
        // Not text: nothing to read. Lock files are other people's words.
        let Ok(content) = fs::read_to_string(root().join(&file)) else { continue };
        if file.ends_with(".lock") || file.ends_with("package-lock.json") {
            continue;
        }
        for (index, line) in content.lines().enumerate() {
            let unfinished = words.iter().any(|word| has_word(line, word));
            if unfinished || paths.iter().any(|path| line.contains(path)) {
                wrong.push(format!("{file}:{}: {}", index + 1, line.trim()));
            }
        }
    }
    assert_none("unfinished places or machine paths", &wrong);
}

/// Fails when the tree that `cargo tree` prints for these arguments has a forbidden package, with the path to it.
/// Procedural macros run in the compiler and are not followed.
fn assert_absent<'a>(tree: &[&str], forbidden: impl IntoIterator<Item = &'a Package>) {
    const EDGES: [&str; 4] = ["--edges", "normal,no-proc-macro", "--prefix", "none"];
    let listing = cargo(&[&["tree"], tree, &EDGES, &["--format", "{p}"]].concat());
    let present: BTreeSet<&str> = listing.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(present.len() > 10, "cargo tree {tree:?} was not understood:\n{listing}");
    let mut wrong = Vec::new();
    for package in forbidden {
        for name in present.iter().filter(|name| package.covers(name)) {
            wrong.push(format!(
                "{name}, brought by\n{}",
                cargo(&[&["tree"], tree, &EDGES[..2], &["--invert", name]].concat())
            ));
        }
    }
    assert_none(&format!("forbidden packages in {tree:?}"), &wrong);
}

fn assert_none(what: &str, found: &[String]) {
    assert!(found.is_empty(), "{what}:\n  {}", found.join("\n  "));
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace").to_path_buf()
}

/// Standard output of cargo in this workspace; never touches the network or the lock file.
fn cargo(arguments: &[&str]) -> String {
    output(Command::new(env!("CARGO")).args(arguments).args(["--offline", "--locked"]))
}

fn output(command: &mut Command) -> String {
    let output = command.current_dir(root()).output().unwrap_or_else(|e| panic!("{command:?} did not start: {e}"));
    assert!(output.status.success(), "{command:?} failed:\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("its output is UTF-8")
}

fn our_packages() -> Vec<serde_json::Value> {
    let listing = cargo(&["metadata", "--no-deps", "--format-version", "1"]);
    let mut metadata: serde_json::Value = serde_json::from_str(&listing).expect("cargo metadata prints JSON");
    let packages = metadata["packages"].take();
    packages.as_array().expect("cargo metadata lists packages").clone()
}

/// Paths of the checkout's files, new ones included, ignored and deleted ones not.
fn files() -> Vec<String> {
    let listing = output(Command::new("git").args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"]));
    let files: BTreeSet<String> = listing.split('\0').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    files.into_iter().filter(|name| root().join(name).is_file()).collect()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{} cannot be read: {e}", path.display()))
}

/// The file's lines with their numbers; of Rust only those before its unit tests, whose samples are no code.
fn code_lines(file: &str) -> Vec<(usize, String)> {
    let content = read(&root().join(file));
    let numbered = content.lines().enumerate().map(|(index, line)| (index + 1, line.to_owned()));
    numbered.take_while(|(_, line)| line != "#[cfg(test)]").collect()
}

fn extension(file: &str) -> &str {
    file.rsplit_once('.').map_or("", |(_, extension)| extension)
}

fn text(value: &serde_json::Value) -> String {
    value.as_str().expect("cargo metadata gives a name").to_owned()
}

fn quoted<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    line.strip_prefix(key)?.strip_prefix('"')?.strip_suffix('"')
}

fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(start, _)| {
        let letter = |found: Option<char>| found.is_some_and(|c| c.is_alphanumeric() || c == '_');
        !letter(line[..start].chars().next_back()) && !letter(line[start + word.len()..].chars().next())
    })
}

/// The first colour written as numbers: `#` with 3, 4, 6 or 8 hexadecimal digits, or a colour function whose first
/// argument is a number. Functions over variables, ids and character references are no colours.
fn raw_colour(line: &str) -> Option<&str> {
    for (start, _) in line.match_indices('#') {
        let digits = line[start + 1..].chars().take_while(char::is_ascii_hexdigit).count();
        let end = start + 1 + digits;
        let goes_on = line[end..].chars().next().is_some_and(|c| c.is_alphanumeric() || c == '-' || c == '_');
        if matches!(digits, 3 | 4 | 6 | 8) && !goes_on && !line[..start].ends_with('&') {
            return Some(&line[start..end]);
        }
    }
    for function in ["rgb(", "rgba(", "hsl(", "hsla(", "hwb(", "lab(", "lch(", "oklab(", "oklch(", "RGBColor("] {
        for (start, _) in line.match_indices(function) {
            if line[start + function.len()..].trim_start().starts_with(|c: char| c.is_ascii_digit() || c == '.') {
                return Some(line[start..].trim());
            }
        }
    }
    None
}
