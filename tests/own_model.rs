//! Models and texts as a visitor brings them: told apart, described, refused in words, and trained on.
#![cfg(not(target_arch = "wasm32"))]

use lora_playground::args::{Model as Which, Text};
use lora_playground::config::{Config, Task};
use lora_playground::error::Result;
use lora_playground::files::{Memory, Source};
use lora_playground::lab::Lab;
use lora_playground::task::text::own::{Own, open};
use lora_playground::task::text::{Model, Passages, small_model};
use pollster::block_on;
use serde_json::Value;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/lm/own/");

/// All files of a model's folder, with a text beside it.
fn files(model: &str) -> Vec<(String, Memory)> {
    let all = std::fs::read_dir(format!("{FOLDER}{model}")).unwrap().map(|one| one.unwrap());
    let all = all.filter(|one| one.file_type().unwrap().is_file());
    let file = |one: std::fs::DirEntry| {
        let name = one.file_name().into_string().unwrap();
        (format!("{model}/{name}"), Memory::new(&name, std::fs::read(one.path()).unwrap()))
    };
    all.map(file).collect()
}

fn text(name: &str, content: &str) -> (String, Memory) {
    (name.to_owned(), Memory::new(name, content.as_bytes().to_vec()))
}

fn take(own: &mut Own<Memory>, files: Vec<(String, Memory)>) -> Vec<String> {
    block_on(own.take(files, open))
}

async fn small() -> Result<Model> {
    small_model(
        async |name: &str| Ok(std::fs::read(format!("{}/www/data/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()),
    )
    .await
}

fn task(languages: &[&str], sequence: usize) -> Text {
    let languages = languages.iter().map(|&name| name.to_owned()).collect();
    Text { model: Which::Custom, languages, sequence, batch: 2, cheat: false }
}

/// What transformers makes of a folder, the page's way in makes of it too: tokens, text, logits; and it trains.
#[test]
fn a_folder_is_opened_as_transformers_opens_it() {
    for name in ["llama_gqa", "llama_bf16", "qwen2_bias_sharded"] {
        let expected: Value =
            serde_json::from_slice(&std::fs::read(format!("{FOLDER}{name}/expected.json")).unwrap()).unwrap();
        let content = expected["text"].as_str().unwrap();
        let mut own = Own::default();
        let mut all = files(name);
        all.push(text("mine.txt", &content.repeat(8)));
        assert_eq!(take(&mut own, all), [""; 0], "{name}");
        let about = own.about(vec![]);
        let model = about.model.unwrap();
        assert_eq!((model.reads_bytes, about.texts.len(), about.texts[0].name.as_str()), (false, 1, "mine"), "{name}");
        let ids: Vec<u32> = expected["ids"].as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect();
        let tokenizer = own.tokenizer();
        let tokens = tokenizer.encode(content);
        assert_eq!(tokens[..ids.len()], ids, "{name}");
        let (task, _) = block_on(own.task(&task(&["mine"], ids.len()), 1, small)).unwrap();
        let query = r#"{"version":1,"task":{"kind":"text","model":"custom","languages":["mine"]},"lanes":[{"method":"lora","rank":2,"lr":0.01}],"schedule":{"warmup":2,"total":30}}"#;
        let mut lab = Lab::new(Config::from_json(query).unwrap(), task, None).unwrap();
        // Of the one in BF16, transformers rounds the angles of positions too (tests/language_model.rs).
        if name != "llama_bf16" {
            let whole = Passages { x: ids.clone(), y: vec![0; ids.len()] };
            let logits = block_on(lab.logits(None, &whole)).unwrap();
            let last = &logits[logits.len() - model.vocabulary..];
            for (got, expected) in last.iter().zip(expected["logits of the last token"].as_array().unwrap()) {
                assert!((f64::from(*got) - expected.as_f64().unwrap()).abs() < 1e-3, "{name}: {got}, not {expected}");
            }
        }
        block_on(lab.train(30)).unwrap();
        let losses = lab.losses(0);
        assert!(losses[29] < losses[0] - 0.05, "{name}: {losses:?}");
    }
}

#[test]
fn the_small_model_learns_a_visitors_text() {
    let mut own = Own::default();
    let rhyme = "Twas brillig, and the slithy toves did gyre and gimble in the wabe. ".repeat(20);
    assert_eq!(take(&mut own, vec![text("folder/Jabber~wocky.txt", &rhyme), text("b.md", &rhyme)]), [""; 0]);
    let about = own.about(vec![]);
    assert_eq!(about.model, None);
    let names: Vec<&str> = about.texts.iter().map(|text| text.name.as_str()).collect();
    assert_eq!(names, ["Jabber wocky", "b"], "what separates names in links is no part of one");
    assert_eq!(about.texts[0].train + about.texts[0].held, rhyme.len());
    own.hold_out(0.5);
    assert_eq!(own.about(vec![]).texts[0].held, rhyme.len() / 2);
    let (task, texts) = block_on(own.task(&task(&["Jabber wocky"], 32), 1, small)).unwrap();
    assert_eq!((task.domain_names, texts.train[0].1.len()), (vec!["Jabber wocky".to_owned()], rhyme.len() / 2));
    own.drop_text("Jabber wocky");
    assert_eq!(own.about(vec![]).texts.len(), 1);
}

#[test]
fn what_cannot_be_opened_says_what_to_do_and_harms_nothing() {
    let mut own = Own::default();
    assert_eq!(take(&mut own, files("llama_gqa")), [""; 0]);
    let without =
        |what: &str| files("llama_gqa").into_iter().filter(|(path, _)| !path.ends_with(what)).collect::<Vec<_>>();
    let said = |problems: Vec<String>, words: &str| {
        assert!(problems.len() == 1 && problems[0].contains(words), "{problems:?}, not {words}");
    };
    said(take(&mut own, without("config.json")), "no config.json beside its weights");
    said(take(&mut own, without(".safetensors")), "no .safetensors file");
    said(take(&mut own, without("tokenizer.json")), "no tokenizer.json");
    let broken = vec![text("m/config.json", "{"), text("m/model.safetensors", "")];
    said(take(&mut own, broken), "is no JSON");
    said(
        take(&mut own, vec![("latin.txt".into(), Memory::new("latin.txt", vec![b'a', 0xE9]))]),
        "is no UTF-8 text from byte 1 on",
    );
    said(take(&mut own, vec![text("picture.png", "")]), "nothing to train in these files");
    assert!(own.about(vec![]).model.is_some(), "the model that was there is there");
    // Texts of a model's folder are its own.
    let mut all = files("llama_gqa");
    all.push(text("llama_gqa/README.md", "about"));
    assert_eq!(take(&mut own, all), [""; 0]);
    assert!(own.about(vec![]).texts.is_empty());
    let many = (0..9).map(|n| text(&format!("{n}.txt"), "words")).collect();
    said(take(&mut own, many), "one more text than the 8");
    let short = |languages: &[&str]| block_on(own.task(&task(languages, 16), 1, small)).unwrap_err().to_string();
    assert!(short(&["0"]).contains("held-out part of at least one passage of 16 tokens"), "{}", short(&["0"]));
    assert!(short(&["elsewhere"]).contains("which no link carries"), "{}", short(&["elsewhere"]));
}

#[test]
fn a_links_own_text_is_a_configuration() {
    let config = Config::from_query("task=text&model=custom&languages=my%20notes~b&lanes=lora.r4").unwrap();
    let Task::Text(text) = &config.task else { panic!("text") };
    assert_eq!(
        (text.model, text.languages.as_slice()),
        (Which::Custom, ["my notes".to_owned(), "b".to_owned()].as_slice())
    );
    assert_eq!(Config::from_query(&config.to_query()).unwrap(), config);
}

/// A file of which only the beginning is there to be read.
struct Sparse {
    name: String,
    head: Vec<u8>,
    size: u64,
}

impl Source for Sparse {
    fn name(&self) -> &str {
        &self.name
    }
    fn size(&self) -> u64 {
        self.size
    }
    async fn read(&self, start: u64, length: usize) -> Result<Vec<u8>> {
        Ok(self.head[start as usize..][..length].to_vec())
    }
}

#[test]
fn a_model_that_is_too_large_is_refused_by_its_header_alone() {
    let whole = |(path, file): (String, Memory)| {
        let head = block_on(file.read(0, file.size() as usize)).unwrap();
        (path, Sparse { name: file.name().to_owned(), size: head.len() as u64, head })
    };
    let mut all: Vec<_> =
        files("llama_gqa").into_iter().filter(|(path, _)| !path.ends_with(".safetensors")).map(whole).collect();
    let header = r#"{"w":{"dtype":"BF16","shape":[65536,2048],"data_offsets":[0,268435456]}}"#;
    let head = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes()].concat();
    let size = head.len() as u64 + 268_435_456;
    all.push(("llama_gqa/model.safetensors".into(), Sparse { name: "model.safetensors".into(), head, size }));
    let problems = block_on(Own::default().take(all, open));
    assert!(
        problems.len() == 1 && problems[0].contains("134 million parameters; up to 50 million fit"),
        "{problems:?}"
    );
}
