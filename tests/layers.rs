//! The layers of docs/ARCHITECTURE.md, held by a test: a module imports only from ranks below its own (or from itself
//! and its own rank, where the parts of one layer belong together), and no file outgrows one room.
#![cfg(not(target_arch = "wasm32"))]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

const RANKS: &[(&str, u8)] = &[
    ("args", 0),
    ("rng", 0),
    ("tensor", 0),
    ("error", 0),
    ("lang", 0),
    ("spectrum", 0),
    ("clock", 0),
    ("decimal", 0),
    ("order", 0),
    ("fixed", 0),
    ("files", 1),
    ("graph", 1),
    ("op", 1),
    ("method", 2),
    ("task", 2),
    ("optim", 2),
    ("config", 3),
    ("protocol", 3),
    ("net", 3),
    ("exec", 4),
    ("inspect", 4),
    ("peft", 5),
    ("lab", 5),
    ("trainer", 5),
    ("host", 6),
    ("api", 6),
    ("experiments", 6),
    ("view", 6),
    ("app", 7),
    ("studio", 7),
    ("cases", 7),
    ("lesson", 8),
    ("embed", 8),
];

/// Imports that their ranks would allow and the design does not: what a pass is knows no operation, views draw snapshots and
/// know nothing of how they came, experiments are told the same wherever they run, and lab, studio and cases hold
/// nothing of each other.
const FORBIDDEN: &[(&str, &str)] = &[
    ("graph", "op"),
    ("view", "trainer"),
    ("view", "exec"),
    ("view", "lab"),
    ("view", "host"),
    ("trainer", "host"),
    ("experiments", "view"),
    ("experiments", "host"),
    ("experiments", "api"),
    ("app", "studio"),
    ("studio", "app"),
    ("studio", "trainer"),
    ("cases", "app"),
    ("cases", "studio"),
    ("app", "cases"),
    ("studio", "cases"),
    ("embed", "lesson"),
    ("lesson", "embed"),
];

const LONGEST: usize = 450;

fn rank(module: &str) -> Option<u8> {
    RANKS.iter().find(|(name, _)| *name == module).map(|(_, rank)| *rank)
}

fn files(dir: &str, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut dirs = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(dir)];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir).into_iter().flatten() {
            let path = entry.expect("a readable directory entry").path();
            if path.is_dir() {
                dirs.push(path);
            } else if endings.iter().any(|ending| path.extension().is_some_and(|e| e == *ending)) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The top module that a file under src/ belongs to; `None` for the crate's root.
fn module_of(path: &Path) -> Option<String> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let inside = path.strip_prefix(src).expect("a file under src/");
    let first = inside.components().next().expect("a file name").as_os_str().to_string_lossy();
    let name = first.trim_end_matches(".rs");
    (name != "lib").then(|| name.to_owned())
}

/// Top modules named after `crate::` in code: `crate::a::b`, and every member of `crate::{a, b::{c, d}, e}`.
fn imports(source: &str) -> BTreeSet<String> {
    let code: String = source.lines().map(|line| line.split("//").next().unwrap_or("")).collect::<Vec<_>>().join("\n");
    let mut found = BTreeSet::new();
    for (at, prefix) in code.match_indices("crate::") {
        let joined = code[..at].chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_');
        if !joined {
            members(&code[at + prefix.len()..], &mut found);
        }
    }
    found
}

fn members(path: &str, found: &mut BTreeSet<String>) {
    let name =
        |text: &str| text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let Some(list) = path.strip_prefix('{') else {
        found.insert(name(path));
        return;
    };
    let mut depth = 0;
    let mut start = 0;
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            ',' | '}' if depth == 0 => {
                found.insert(name(&list[start..at]));
                start = at + 1;
                if c == '}' {
                    break;
                }
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
    found.remove("");
}

fn upward(module: &str, source: &str) -> Vec<String> {
    let own = rank(module);
    imports(source)
        .into_iter()
        .filter(|imported| imported != module)
        .filter(|imported| match (own, rank(imported)) {
            (Some(own), Some(other)) => other > own || FORBIDDEN.contains(&(module, imported.as_str())),
            // Macros and items of the crate's root have no rank.
            _ => false,
        })
        .collect()
}

#[test]
fn every_module_has_a_rank() {
    let sources = files("src", &["rs"]);
    assert!(!sources.is_empty(), "src/ holds no files: the test looks in the wrong place");
    let unranked: BTreeSet<_> =
        sources.iter().filter_map(|path| module_of(path)).filter(|name| rank(name).is_none()).collect();
    assert!(unranked.is_empty(), "modules without a rank: {unranked:?}");
}

#[test]
fn no_module_imports_from_above() {
    let mut wrong = Vec::new();
    for path in files("src", &["rs"]) {
        let Some(module) = module_of(&path) else {
            continue;
        };
        let source = fs::read_to_string(&path).expect("a readable source file");
        wrong.extend(
            upward(&module, &source).into_iter().map(|imported| format!("{}: crate::{imported}", path.display())),
        );
    }
    assert!(wrong.is_empty(), "imports against the layers:\n{}", wrong.join("\n"));
}

#[test]
fn only_the_gpu_executor_names_wgpu() {
    let sources =
        files("src", &["rs"]).into_iter().filter(|path| module_of(path).is_some_and(|module| module != "exec"));
    let naming: Vec<_> = sources
        .filter(|path| {
            let source = fs::read_to_string(path).expect("a readable source file");
            source.lines().any(|line| line.split("//").next().unwrap_or("").contains("wgpu::"))
        })
        .collect();
    assert!(naming.is_empty(), "wgpu is exec's alone, and named in {naming:?}");
}

#[test]
fn the_test_sees_upward_imports() {
    assert_eq!(upward("op", "use crate::{\n    error::{Error, Result},\n    trainer::{a, b},\n};"), ["trainer"]);
    assert_eq!(upward("net", "fn f() { crate::exec::gpu::run(); }"), ["exec"]);
    assert_eq!(upward("view", "use crate::trainer::Trainer;"), ["trainer"]);
    assert!(upward("net", "// crate::app\nuse crate::{tensor::Tensor, kernel};\npub(crate) fn f() {}").is_empty());
}

#[test]
fn files_stay_short() {
    let mut files_seen = 0;
    let mut long = Vec::new();
    for (dir, endings) in [("src", ["rs", "rs"]), ("shaders", ["wgsl", "wgsl"]), ("xtask", ["rs", "mjs"])] {
        for path in files(dir, &endings) {
            files_seen += 1;
            let lines = fs::read_to_string(&path).expect("a readable file").lines().count();
            if lines > LONGEST {
                long.push(format!("{lines} {}", path.display()));
            }
        }
    }
    assert!(files_seen > 0, "no files found: the test looks in the wrong place");
    assert!(long.is_empty(), "files of more than {LONGEST} lines:\n{}", long.join("\n"));
}
