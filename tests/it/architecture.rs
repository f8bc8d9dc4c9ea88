//! The shape of the source tree: no import circles, no long files, no name with two meanings, and a module list in
//! ARCHITECTURE.md that is the one of `src/`.
//!
//! The source is read as text: `use` trees and paths that begin with `crate::` or `super::`, outside comments, literals
//! and test modules. A path through a re-export leads to the file that defines the name, so a `mod.rs` that re-exports
//! its children does not depend on them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What the definition may import besides itself: the vocabulary, the exit codes, how text is shown, and the registry of
/// stores, from which the options of `[destination]` come.
const BELOW_THE_DEFINITION: &[&str] = &[
    "schema/",
    "shown/",
    "exit_code.rs",
    "store/kind.rs",
    "store/raw_mode.rs",
    "store/registry.rs",
    "store/url.rs",
];

/// No file has more lines than this, its test module not counted.
const MOST_LINES: usize = 500;

/// One file of `src/`.
struct SourceFile {
    /// Its path, relative to `src/`.
    name: String,
    /// Its lines without test modules.
    code: String,
}

/// All files of `src/`, by their module paths.
struct SourceTree {
    files: BTreeMap<Vec<String>, SourceFile>,
    /// What each module re-exports: the name, and the path it is from.
    reexports: BTreeMap<Vec<String>, BTreeMap<String, Vec<String>>>,
}

impl SourceTree {
    fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut paths = Vec::new();
        collect_sources(&root, &mut paths);
        let files = paths.into_iter().map(|path| {
            let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
            let code = without_tests(&std::fs::read_to_string(&path).unwrap());
            let module = module_of(&name);
            (module, SourceFile { name, code })
        });
        let mut tree = Self { files: files.collect(), reexports: BTreeMap::new() };
        for (module, file) in &tree.files {
            let mut names = BTreeMap::new();
            for import in imports(&file.code) {
                let Some(path) = absolute(&import.path, module, &tree.files) else { continue };
                if import.is_reexport {
                    names.insert(import.name.clone(), path);
                }
            }
            tree.reexports.insert(module.clone(), names);
        }
        tree
    }

    /// The module in which a path's item is defined.
    fn defining_module(&self, path: &[String]) -> Option<Vec<String>> {
        let mut path = path.to_vec();
        // A chain of re-exports is short; a circle of them is no Rust.
        for _ in 0..8 {
            let length = (0..=path.len()).rev().find(|n| self.files.contains_key(&path[..*n]))?;
            let module = path[..length].to_vec();
            let item = path.get(length);
            let origin = item.and_then(|item| self.reexports[&module].get(item));
            match origin {
                Some(origin) => {
                    let rest = path[length + 1..].to_vec();
                    path = origin.iter().cloned().chain(rest).collect();
                }
                None => return Some(module),
            }
        }
        None
    }

    /// The files that each file imports from.
    fn edges(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        let mut edges: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (module, file) in &self.files {
            let own = edges.entry(&file.name).or_default();
            for import in imports(&file.code) {
                let Some(path) = absolute(&import.path, module, &self.files) else { continue };
                let is_of_child = path.len() > module.len() && path[..module.len()] == module[..];
                if import.is_reexport && is_of_child {
                    continue;
                }
                let Some(defined_in) = self.defining_module(&path) else { continue };
                // The crate root only lists modules.
                if defined_in != *module && !defined_in.is_empty() && !module.is_empty() {
                    own.insert(&self.files[&defined_in].name);
                }
            }
        }
        edges
    }
}

fn collect_sources(directory: &Path, paths: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect_sources(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
}

fn module_of(name: &str) -> Vec<String> {
    let stem = name.strip_suffix(".rs").unwrap();
    let mut module: Vec<String> = stem.split('/').map(str::to_owned).collect();
    if matches!(module.last().map(String::as_str), Some("mod" | "lib")) {
        module.pop();
    }
    module
}

/// A file without the modules that are only there in tests. They end with the first brace at the start of a line.
fn without_tests(text: &str) -> String {
    let mut lines = text.lines().peekable();
    let mut kept = String::new();
    while let Some(line) = lines.next() {
        let is_test = line == "#[cfg(test)]"
            && lines.peek().is_some_and(|next| next.contains("mod ") && next.ends_with('{'));
        if is_test {
            for line in lines.by_ref() {
                if line == "}" {
                    break;
                }
            }
            continue;
        }
        kept.push_str(line);
        kept.push('\n');
    }
    kept
}

/// Code without comments.
fn without_comments(code: &str) -> String {
    let lines = code.lines().map(|line| match line.split_once("//") {
        // Not the slashes of a URL in a literal.
        Some((before, _)) if !before.ends_with(':') => before,
        _ => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// One imported name.
struct Import {
    /// As it is written: `["super", "cast", "Cast"]`.
    path: Vec<String>,
    /// What it is called here.
    name: String,
    is_reexport: bool,
}

/// The names that a file imports, and the paths that it writes out.
fn imports(code: &str) -> Vec<Import> {
    let code = without_comments(code);
    let mut imports = Vec::new();
    let mut rest = String::new();
    let mut statement = String::new();
    for line in code.lines() {
        let trimmed = line.trim_start();
        let begins = ["use ", "pub use ", "pub(crate) use ", "pub(super) use "];
        if statement.is_empty() && !begins.iter().any(|begin| trimmed.starts_with(begin)) {
            rest.push_str(line);
            rest.push('\n');
            continue;
        }
        statement.push_str(trimmed);
        if trimmed.ends_with(';') {
            let is_reexport = statement.starts_with("pub");
            let (_, tree) = statement.split_once("use ").unwrap();
            expand(tree.trim_end_matches(';'), &mut Vec::new(), is_reexport, &mut imports);
            statement.clear();
        }
    }
    // Paths that are written out, the ones of child modules among them.
    let is_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    for written in rest.split(|c| !is_path(c)).filter(|word| word.contains("::")) {
        let path = written.split("::").filter(|step| !step.is_empty());
        let path: Vec<String> = path.map(str::to_owned).collect();
        let Some(name) = path.last().cloned() else { continue };
        imports.push(Import { path, name, is_reexport: false });
    }
    imports
}

/// The names of a `use` tree.
fn expand(tree: &str, prefix: &mut Vec<String>, is_reexport: bool, imports: &mut Vec<Import>) {
    let tree = tree.trim();
    if let Some(open) = tree.find('{') {
        let steps: Vec<String> =
            tree[..open].split("::").filter(|it| !it.is_empty()).map(str::to_owned).collect();
        let count = steps.len();
        prefix.extend(steps);
        for branch in branches(&tree[open + 1..tree.len() - 1]) {
            expand(branch, prefix, is_reexport, imports);
        }
        prefix.truncate(prefix.len() - count);
        return;
    }
    if tree.is_empty() {
        return;
    }
    let (path, renamed) =
        tree.split_once(" as ").map_or((tree, None), |(path, name)| (path, Some(name)));
    let mut full = prefix.clone();
    full.extend(path.split("::").map(|step| step.trim().to_owned()));
    if full.last().is_some_and(|last| last == "self") {
        full.pop();
    }
    let name = renamed.map_or_else(|| full.last().cloned().unwrap_or_default(), str::to_owned);
    imports.push(Import { path: full, name, is_reexport });
}

/// The parts of a `use` group, split at the commas of the outermost level.
fn branches(group: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&group[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&group[start..]);
    parts
}

/// A path as seen from the crate root; none when it leads out of the crate.
fn absolute(
    path: &[String],
    module: &[String],
    files: &BTreeMap<Vec<String>, SourceFile>,
) -> Option<Vec<String>> {
    let mut from = module.to_vec();
    let mut steps = path;
    match path.first()?.as_str() {
        "crate" => from.clear(),
        "self" => {}
        "super" => {
            while steps.first().is_some_and(|step| step == "super") {
                from.pop();
                steps = &steps[1..];
            }
            return Some(from.into_iter().chain(steps.iter().cloned()).collect());
        }
        // A child module, by its name alone.
        child => {
            from.push(child.to_owned());
            return files
                .contains_key(&from)
                .then(|| from.into_iter().chain(path[1..].iter().cloned()).collect());
        }
    }
    Some(from.into_iter().chain(steps[1..].iter().cloned()).collect())
}

/// The edges that are part of a circle.
fn edges_in_circles<'a>(
    edges: &BTreeMap<&'a str, BTreeSet<&'a str>>,
) -> BTreeSet<(&'a str, &'a str)> {
    let reaches = |from: &'a str, to: &str| {
        let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
        while let Some(node) = open.pop() {
            if node == to {
                return true;
            }
            if seen.insert(node) {
                open.extend(edges.get(node).into_iter().flatten().copied());
            }
        }
        false
    };
    let all = edges.iter().flat_map(|(from, targets)| targets.iter().map(|to| (*from, *to)));
    all.filter(|(from, to)| reaches(to, from)).collect()
}

#[test]
fn files_do_not_import_each_other_in_circles() {
    let tree = SourceTree::read();
    let circles = edges_in_circles(&tree.edges());
    assert!(circles.is_empty(), "files import each other: {circles:#?}");
}

#[test]
fn top_level_modules_do_not_import_each_other_in_circles() {
    let tree = SourceTree::read();
    let folder = |name: &str| name.split(['/', '.']).next().unwrap().to_owned();
    let mut folders: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (from, targets) in tree.edges() {
        let own = folders.entry(folder(from)).or_default();
        own.extend(targets.into_iter().map(folder).filter(|to| *to != folder(from)));
    }
    let edges = folders
        .iter()
        .map(|(from, targets)| (from.as_str(), targets.iter().map(String::as_str).collect()));
    let edges = edges.collect();
    let circles = edges_in_circles(&edges);
    assert!(circles.is_empty(), "top-level modules import each other: {circles:#?}");
}

#[test]
fn the_vocabulary_and_the_definition_import_no_step() {
    let tree = SourceTree::read();
    let edges = tree.edges();
    let edges = edges.iter().flat_map(|(from, targets)| targets.iter().map(|to| (*from, *to)));
    let climbs: Vec<(&str, &str)> = edges
        .filter(|(from, to)| {
            let is_below = |to: &str| BELOW_THE_DEFINITION.iter().any(|it| to.starts_with(it));
            let is_vocabulary = |to: &str| to.starts_with("schema/") || to.starts_with("shown/");
            (from.starts_with("schema/") && !is_vocabulary(to))
                || (from.starts_with("definition/")
                    && !to.starts_with("definition/")
                    && !is_below(to))
        })
        .collect();
    assert!(climbs.is_empty(), "imports from a later step: {climbs:#?}");
}

#[test]
fn no_file_is_too_long() {
    let tree = SourceTree::read();
    let files = tree.files.values().map(|file| (file.name.as_str(), file.code.lines().count()));
    let long: Vec<(&str, usize)> = files.filter(|(_, lines)| *lines > MOST_LINES).collect();
    assert!(long.is_empty(), "longer than {MOST_LINES} lines without tests: {long:#?}");
}

#[test]
fn no_type_name_has_two_meanings() {
    let tree = SourceTree::read();
    let mut definitions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for file in tree.files.values() {
        for name in file.code.lines().filter_map(defined_type) {
            definitions.entry(name).or_default().push(&file.name);
        }
    }
    definitions.retain(|_, files| files.len() > 1);
    assert!(definitions.is_empty(), "type names with two meanings: {definitions:#?}");
}

/// The name of the type that a line defines, if it defines one.
fn defined_type(line: &str) -> Option<&str> {
    let item = line.trim_start().trim_start_matches("pub(crate) ");
    let item = item.trim_start_matches("pub(super) ").trim_start_matches("pub ");
    let rest = ["struct ", "enum ", "trait "].iter().find_map(|kind| item.strip_prefix(kind))?;
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
    Some(&rest[..end]).filter(|name| !name.is_empty())
}

#[test]
fn the_module_table_is_that_of_the_source() {
    let page =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md"));
    let page = page.unwrap();
    let table = page.lines().skip_while(|line| *line != "| module | its one job |").skip(2);
    let table = table.take_while(|line| line.starts_with('|'));
    let listed: BTreeSet<String> = table
        .map(|row| row.trim_start_matches("| `").split('`').next().unwrap().to_owned())
        .collect();
    let tree = SourceTree::read();
    let there =
        tree.files.keys().filter(|module| module.len() == 1).map(|module| module[0].clone());
    let there: BTreeSet<String> = there.filter(|module| module != "main").collect();
    assert_eq!(listed, there, "ARCHITECTURE.md lists the modules on the left");
}
