//! What keeps the house in order, held by tests: only `src/method` knows which methods there are, page and package differ in
//! few places, and no two files import each other, however long the way round.
#![cfg(not(target_arch = "wasm32"))]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use lora_playground::method::METHODS;

/// Lines under src/ that may differ between page and package.
const FEATURE_LINES: usize = 12;

/// Source files under src/, without their tests and comments, by path from src/.
fn sources() -> BTreeMap<String, String> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = BTreeMap::new();
    let mut dirs = vec![src.clone()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
                continue;
            }
            let name = path.strip_prefix(&src).unwrap().to_string_lossy().replace('\\', "/");
            let of_tests = name.ends_with("tests.rs") || name.contains("/tests/") || name.ends_with("round_trip.rs");
            if name.ends_with(".rs") && !of_tests {
                found.insert(name, code(&fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found
}

/// Without comments and without what follows `#[cfg(test)]` up to the end of its item.
fn code(text: &str) -> String {
    let mut out = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim() != "#[cfg(test)]" {
            out += line.split("//").next().unwrap_or("");
            out.push('\n');
            continue;
        }
        let mut depth = 0i32;
        for line in lines.by_ref() {
            depth += line.matches('{').count() as i32 - line.matches('}').count() as i32;
            if depth <= 0 && (line.ends_with(';') || line.ends_with('}')) {
                break;
            }
        }
    }
    out
}

fn is_word(text: &str, at: usize, len: usize) -> bool {
    let letter = |c: char| c.is_alphanumeric() || c == '_';
    !text[..at].chars().next_back().is_some_and(letter) && !text[at + len..].chars().next().is_some_and(letter)
}

fn names(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| is_word(text, at, word.len()))
}

/// Files that ask which method it is: by the statics, or by the names in documents.
fn asking(sources: &BTreeMap<String, String>) -> Vec<String> {
    // Experiments and the page's first run configure methods. Kinds of adapter files are named as methods are.
    let may = |file: &str| {
        ["method/", "experiments/", "peft/"].iter().any(|dir| file.starts_with(dir))
            || ["config/default.rs", "api/adapter.rs"].contains(&file)
    };
    let mut found = Vec::new();
    for (file, text) in sources.iter().filter(|(file, _)| !may(file)) {
        for method in METHODS {
            for word in [method.name.to_uppercase(), format!("\"{}\"", method.name)] {
                let there = if word.starts_with('"') { text.contains(&word) } else { names(text, &word) };
                if there {
                    found.push(format!("{file} names {word}"));
                }
            }
        }
    }
    found
}

#[test]
fn only_the_methods_know_which_methods_there_are() {
    let found = asking(&sources());
    assert!(found.is_empty(), "ask the description instead: {found:#?}");
}

#[test]
fn the_test_sees_who_asks() {
    let seen = |text: &str| !asking(&BTreeMap::from([("view/x.rs".to_owned(), code(text))])).is_empty();
    assert!(seen("if std::ptr::eq(lane.method, &crate::method::LORA) {}"));
    assert!(seen("match lane.method.name { \"mor1e\" => 1, _ => 0 }"));
    assert!(!seen("// as \"lora\" is\nlet x = LORA_PLUS;"));
    assert!(!seen("#[cfg(test)]\nmod tests {\n    use crate::method::LORA;\n}"));
}

#[test]
fn page_and_package_differ_in_few_places() {
    let lines: Vec<String> = sources()
        .into_iter()
        .flat_map(|(file, text)| {
            let own = text.lines().filter(|line| line.contains("cfg") && line.contains("feature"));
            own.map(|line| format!("{file}: {}", line.trim())).collect::<Vec<_>>()
        })
        .collect();
    assert!(lines.len() <= FEATURE_LINES, "{} lines ask for features: {lines:#?}", lines.len());
}

/// The file that holds a module, if it is one: `["view", "ui"]` is view/ui.rs or view/ui/mod.rs.
fn file_of(module: &[&str], sources: &BTreeMap<String, String>) -> Option<String> {
    let path = module.join("/");
    [format!("{path}.rs"), format!("{path}/mod.rs")].into_iter().find(|file| sources.contains_key(file))
}

/// The module that a file is.
fn module_of(file: &str) -> Vec<&str> {
    let path = file.trim_end_matches(".rs").trim_end_matches("/mod");
    path.split('/').filter(|part| *part != "lib").collect()
}

/// Every path in the text that begins with `crate`, `super` or `self`, members of braces one by one.
fn paths(text: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for root in ["crate::", "super::", "self::"] {
        for (at, _) in text.match_indices(root) {
            let after_path = text[..at].ends_with("::");
            if is_word(text, at, root.len() - 2) && !after_path {
                let first = root.trim_end_matches(':').to_owned();
                members(&text[at + root.len()..], &[first], &mut found);
            }
        }
    }
    found
}

/// Reads `a::b::{c, d::e}` and the like; what follows the path is left.
fn members(text: &str, before: &[String], found: &mut Vec<Vec<String>>) {
    let text = text.trim_start();
    if let Some(list) = text.strip_prefix('{') {
        let (mut depth, mut start) = (0, 0);
        for (at, c) in list.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => return members(&list[start..at], before, found),
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    members(&list[start..at], before, found);
                    start = at + 1;
                }
                _ => {}
            }
        }
        return;
    }
    let name: String = text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    if name.is_empty() {
        return;
    }
    let path = [before, std::slice::from_ref(&name)].concat();
    match text[name.len()..].strip_prefix("::") {
        Some(rest) => members(rest, &path, found),
        None => found.push(path),
    }
}

/// Files that each file takes something from.
fn imports(sources: &BTreeMap<String, String>) -> BTreeMap<String, BTreeSet<String>> {
    let mut all = BTreeMap::new();
    for (file, text) in sources {
        let own = module_of(file);
        let mut from = BTreeSet::new();
        for path in paths(text) {
            let mut module: Vec<&str> = match path[0].as_str() {
                "crate" => Vec::new(),
                "super" => own[..own.len().saturating_sub(1)].to_vec(),
                _ => own.clone(),
            };
            for part in &path[1..] {
                match part.as_str() {
                    "super" => drop(module.pop()),
                    part => module.push(part),
                }
            }
            // The longest beginning of the path that is a file holds what the rest names.
            while !module.is_empty() {
                if let Some(other) = file_of(&module, sources) {
                    if other != *file {
                        from.insert(other);
                    }
                    break;
                }
                module.pop();
            }
        }
        all.insert(file.clone(), from);
    }
    all
}

/// Files on a way that leads back to itself, as far as one is found from each.
fn circles(imports: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    // What imports nothing that is left is in no circle, nor is what nothing left imports.
    let mut left: BTreeSet<&String> = imports.keys().collect();
    loop {
        let before = left.len();
        let leads_on: Vec<&String> =
            left.iter().copied().filter(|file| imports[*file].iter().any(|to| left.contains(to))).collect();
        left = leads_on.into_iter().collect();
        let reached: BTreeSet<&String> =
            left.iter().flat_map(|file| &imports[*file]).filter(|to| left.contains(to)).collect();
        left = left.intersection(&reached).copied().collect();
        if left.len() == before {
            break;
        }
    }
    left.iter()
        .map(|file| {
            let to: Vec<&str> = imports[*file].iter().filter(|to| left.contains(to)).map(String::as_str).collect();
            format!("{file} → {}", to.join(", "))
        })
        .collect()
}

#[test]
fn no_files_import_each_other() {
    let found = circles(&imports(&sources()));
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn the_test_sees_circles() {
    let files = |texts: &[(&str, &str)]| -> BTreeMap<String, String> {
        texts.iter().map(|(file, text)| ((*file).to_owned(), code(text))).collect()
    };
    let of = |texts: &[(&str, &str)]| circles(&imports(&files(texts))).len();
    assert_eq!(of(&[("a.rs", "use crate::b::{self, X};"), ("b.rs", "fn f() { crate::c::g(); }"), ("c.rs", "")]), 0);
    assert_eq!(
        of(&[("a.rs", "use crate::b::{d::E, X};"), ("b.rs", "fn f() { crate::c::g(); }"), ("c.rs", "use super::a;")]),
        3
    );
    assert_eq!(of(&[("a/mod.rs", "pub use self::b::X;"), ("a/b.rs", "use super::Y;")]), 2);
    assert_eq!(of(&[("a/mod.rs", "pub mod b;"), ("a/b.rs", "use super::Y;"), ("a/c.rs", "use super::b::X;")]), 0);
}
