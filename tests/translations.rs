//! Catalogues of texts, held against the code: what the page says is in every catalogue, nothing else is, and a translation
//! has the words in braces that its English text has. What is missing is printed as it goes into a catalogue.
#![cfg(not(target_arch = "wasm32"))]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use lora_playground::args::{BackendChoice, DigitDomain, Form, Kind, Named, Pattern, Spectrum};
use lora_playground::cases::languages::kinds::kind;
use lora_playground::lang::{Catalogue, LANGUAGES, Text};
use lora_playground::method::METHODS;
use lora_playground::method::modifier::list::MODIFIERS;
use lora_playground::task::text::languages::NEW;
use proc_macro2::{TokenStream, TokenTree};

/// What the page says, with where; of what counts something, that it does.
type Said = BTreeMap<String, (String, bool)>;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(dir: PathBuf, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files(path, found),
            false => found.push(path),
        }
    }
}

fn literal(tree: Option<&TokenTree>) -> Option<String> {
    let TokenTree::Literal(literal) = tree? else { return None };
    Some(syn::parse_str::<syn::LitStr>(&literal.to_string()).ok()?.value())
}

/// Words in braces that the macro's arguments do not name, or that are too many for them.
fn not_given(text: &str, inside: &[TokenTree], counts: bool) -> Vec<String> {
    let is_comma = |tree: &TokenTree| matches!(tree, TokenTree::Punct(punct) if punct.as_char() == ',');
    let mut given: BTreeSet<String> = BTreeSet::new();
    let given_trees = inside.split(is_comma).skip(1).filter(|tokens| !tokens.is_empty());
    for (at, tokens) in given_trees.enumerate() {
        let named = tokens.len() == 1 || matches!(&tokens[1], TokenTree::Punct(punct) if punct.as_char() == '=');
        given.extend(named.then(|| tokens[0].to_string()));
        given.insert(at.to_string());
    }
    if counts {
        given.insert("n".into());
    }
    arguments(text).into_iter().filter(|name| !given.contains(name)).collect()
}

/// The texts of `tr!` and `marked!`, wherever they stand.
fn collect(tokens: TokenStream, file: &str, said: &mut Said) {
    let trees: Vec<TokenTree> = tokens.into_iter().collect();
    for (at, tree) in trees.iter().enumerate() {
        let TokenTree::Group(group) = tree else { continue };
        collect(group.stream(), file, said);
        let is = |back: usize, word: &str| at >= back && trees[at - back].to_string() == word;
        if !(is(1, "!") && (is(2, "tr") || is(2, "marked"))) {
            continue;
        }
        let inside: Vec<TokenTree> = group.stream().into_iter().collect();
        let Some(first) = literal(inside.first()) else { panic!("{file}: {group} does not begin with its text") };
        let several = matches!(inside.get(1), Some(TokenTree::Punct(punct)) if punct.as_char() == '|');
        let text = if several { literal(inside.get(2)).unwrap() } else { first };
        let missing = not_given(&text, &inside, several);
        assert!(missing.is_empty(), "{file}: {text:?} is not given {missing:?}");
        said.entry(text).or_insert((file.to_owned(), several));
    }
}

/// Texts of the page's scripts and documents.
fn of_page(said: &mut Said) {
    for name in ["www/boot.js", "www/embedded.js"] {
        let script = fs::read_to_string(root().join(name)).unwrap();
        for (at, _) in script.match_indices(" t(\"").chain(script.match_indices("(t(\"")) {
            let text = script[at + 4..].split('"').next().unwrap();
            said.entry(text.into()).or_insert((name.into(), false));
        }
    }
    for name in ["index.html", "www/preview.html"] {
        let html = fs::read_to_string(root().join(name)).unwrap();
        for part in html.split(" data-t>").skip(1) {
            said.entry(part.split('<').next().unwrap().into()).or_insert((name.into(), false));
        }
        for part in html.split(" data-t-label").collect::<Vec<_>>().split_last().map_or(&[][..], |(_, before)| before) {
            let label = part.rsplit("aria-label=\"").next().unwrap();
            said.entry(label.split('"').next().unwrap().into()).or_insert((name.into(), false));
        }
    }
}

/// What tables say to a person: those of methods, of choices, of languages.
fn of_tables(said: &mut Said) {
    let modifiers = MODIFIERS.iter().flat_map(|modifier| modifier.settings.iter());
    let mut texts = Vec::new();
    for setting in METHODS.iter().flat_map(|method| method.settings.iter()).chain(modifiers) {
        texts.extend([setting.label, setting.why]);
        if let Kind::Choice(names) = setting.kind {
            texts.extend(names);
        }
    }
    // A method's name is the same everywhere, where it is one.
    let is_name = |title: &str| title.chars().skip(1).any(char::is_uppercase);
    for method in METHODS {
        texts.extend([method.title, method.short].into_iter().filter(|title| !is_name(title)));
        texts.push(method.why);
        texts.extend(method.extras.size.map(|size| [size.key, size.why]).into_iter().flatten());
    }
    fn names<T: Named>() -> impl Iterator<Item = &'static str> {
        T::ALL.iter().map(|one| one.name())
    }
    let choices = names::<DigitDomain>().chain(names::<Pattern>()).chain(names::<Form>()).chain(names::<Spectrum>());
    texts.extend(choices.chain(names::<BackendChoice>()));
    let kinds = NEW.iter().map(|(code, _)| kind(code));
    texts.extend(kinds.flat_map(|kind| [kind.name, kind.family, kind.script]));
    for text in texts.into_iter().filter(|text| !text.is_empty()) {
        said.entry(text.into()).or_insert(("a table".into(), false));
    }
}

fn said() -> Said {
    let mut said = Said::new();
    let mut sources = Vec::new();
    files(root().join("src"), &mut sources);
    for path in sources.iter().filter(|path| path.extension().is_some_and(|end| end == "rs")) {
        let name = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
        if name == "src/lang.rs" {
            continue;
        }
        let code = fs::read_to_string(path).unwrap();
        collect(code.parse().unwrap_or_else(|error| panic!("{name}: {error}")), &name, &mut said);
    }
    of_page(&mut said);
    of_tables(&mut said);
    said
}

/// Words in braces; an empty pair stands for its place among them, by which a translation may name it.
fn arguments(text: &str) -> BTreeSet<String> {
    let mut unnamed = 0..;
    let inside = text.split('{').skip(1).filter_map(|part| part.split_once('}').map(|(name, _)| name));
    let inside = inside.filter(|name| name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_'));
    inside.map(|name| if name.is_empty() { unnamed.next().unwrap().to_string() } else { name.to_owned() }).collect()
}

#[test]
fn every_catalogue_says_what_the_page_says() {
    let said = said();
    let mut wrong = Vec::new();
    for (code, tag, _) in &LANGUAGES[1..] {
        let json = fs::read_to_string(root().join(format!("www/locales/{code}.json"))).unwrap();
        let catalogue = Catalogue::read(&json).unwrap();
        assert_eq!(catalogue.language, *tag);
        let missing: BTreeMap<&String, &String> = said
            .iter()
            .filter(|(text, _)| !catalogue.texts.contains_key(*text))
            .map(|(text, (file, _))| (text, file))
            .collect();
        if !missing.is_empty() {
            wrong.push(format!("{code}: missing {}", serde_json::to_string_pretty(&missing).unwrap()));
        }
        for (english, text) in &catalogue.texts {
            let Some((file, counts)) = said.get(english) else {
                wrong.push(format!("{code}: nothing says {english:?}"));
                continue;
            };
            let forms: Vec<&String> = match text {
                Text::Always(text) => vec![text],
                Text::Counted(forms) => forms.values().collect(),
            };
            if *counts != matches!(text, Text::Counted(_)) {
                wrong.push(format!("{code}: {english:?} ({file}) counts something in one of the two only"));
            }
            let asked = arguments(english);
            for form in forms {
                let has = arguments(form);
                if has != asked {
                    wrong.push(format!("{code}: {english:?} ({file}) has {asked:?}, its translation {has:?}"));
                }
                if form.trim().is_empty() && !english.trim().is_empty() {
                    wrong.push(format!("{code}: {english:?} is empty"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_page_and_the_engine_know_the_same_languages() {
    let script = fs::read_to_string(root().join("www/language.js")).unwrap();
    let line = script.lines().find(|line| line.starts_with("export const LANGUAGES")).unwrap();
    let own: Vec<String> = LANGUAGES.iter().map(|(code, tag, _)| format!("{code}: \"{tag}\"")).collect();
    assert_eq!(line, format!("export const LANGUAGES = {{ {} }};", own.join(", ")));
}
