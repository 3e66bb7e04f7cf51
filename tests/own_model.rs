//! Models and texts as a visitor brings them: told apart, described, refused in words, and trained on.
#![cfg(not(target_arch = "wasm32"))]

use std::cell::Cell;
use std::rc::Rc;

use lora_playground::args::{Model as Which, Text};
use lora_playground::config::{Config, Task};
use lora_playground::error::Result;
use lora_playground::files::write::{Planned, Writer, pytorch};
use lora_playground::files::{Dtype, Memory, Source};
use lora_playground::lab::Lab;
use lora_playground::lab::begun::{self, Begun};
use lora_playground::lab::fit::{self, Timing};
use lora_playground::net::{Contents, share};
use lora_playground::task::TaskData;
use lora_playground::task::text::ModelConfig;
use lora_playground::task::text::own::{Own, open};
use lora_playground::task::text::{Model, Passages, Texts, on_texts, small_model};
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

/// The task on what was brought, on its model or else the page's.
async fn task_of<S: Source>(own: &Own<S>, text: &Text) -> Result<(TaskData, Texts)> {
    let texts = own.texts(text)?;
    let model = match own.read(text.sequence, async |_| Ok(())).await? {
        Some(model) => model,
        None => small().await?,
    };
    Ok((on_texts(model, text, &texts, 1)?, texts))
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
        let (task, _) = block_on(task_of(&own, &task(&["mine"], ids.len()))).unwrap();
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
    let (task, texts) = block_on(task_of(&own, &task(&["Jabber wocky"], 32))).unwrap();
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
    let short = |languages: &[&str]| block_on(task_of(&own, &task(languages, 16))).unwrap_err().to_string();
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
    let header = r#"{"w":{"dtype":"BF16","shape":[1048576,1024],"data_offsets":[0,2147483648]}}"#;
    let head = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes()].concat();
    let size = head.len() as u64 + 2_147_483_648;
    all.push(("llama_gqa/model.safetensors".into(), Sparse { name: "model.safetensors".into(), head, size }));
    let problems = block_on(Own::default().take(all, open));
    assert!(
        problems.len() == 1 && problems[0].contains("1074 million parameters; up to 950 million fit"),
        "{problems:?}"
    );
}

/// Reads in pieces, and the most bytes that were asked for at once.
struct Counting(Memory, Rc<Cell<usize>>);

impl Source for Counting {
    fn name(&self) -> &str {
        self.0.name()
    }
    fn size(&self) -> u64 {
        self.0.size()
    }
    async fn read(&self, start: u64, length: usize) -> Result<Vec<u8>> {
        self.1.set(self.1.get().max(length));
        self.0.read(start, length).await
    }
}

/// A folder whose embedding alone has five million numbers: its weights are read a piece at a time, whole and in order, and are in
/// memory once, whoever reads them.
#[test]
fn weights_are_read_in_pieces_and_held_once() {
    const SHAPE: (usize, usize) = (80_000, 64);
    let config = serde_json::json!({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu", "hidden_size": SHAPE.1, "intermediate_size": 64,
        "num_hidden_layers": 1, "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": SHAPE.0,
        "max_position_embeddings": 64, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "tie_word_embeddings": true
    });
    let mut shapes =
        vec![("model.embed_tokens".to_owned(), vec![SHAPE.0, SHAPE.1]), ("model.norm".to_owned(), vec![64])];
    let block =
        [("self_attn.q_proj", 64), ("self_attn.k_proj", 32), ("self_attn.v_proj", 32), ("self_attn.o_proj", 64)];
    let block = block.into_iter().chain(["mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"].map(|name| (name, 64)));
    shapes.extend(block.map(|(name, rows)| (format!("model.layers.0.{name}"), vec![rows, 64])));
    shapes.extend(
        ["input_layernorm", "post_attention_layernorm"].map(|name| (format!("model.layers.0.{name}"), vec![64])),
    );
    let plan: Vec<Planned> = shapes
        .iter()
        .map(|(name, shape)| Planned { name: format!("{name}.weight"), dtype: Dtype::F32, shape: shape.clone() })
        .collect();
    let mut bytes = Vec::new();
    block_on(async {
        let mut writer = Writer::begin(&mut bytes, &plan, &pytorch()).await.unwrap();
        for (at, tensor) in plan.iter().enumerate() {
            let count: usize = tensor.shape.iter().product();
            let values: Vec<f32> = (0..count).map(|k| ((k * 31 + at) % 1009) as f32 / 1e4).collect();
            writer.values(Dtype::F32, &values).await.unwrap();
        }
        writer.end().unwrap();
    });
    let most = Rc::new(Cell::new(0));
    let tokenizer = std::fs::read(format!("{FOLDER}llama_gqa/tokenizer.json")).unwrap();
    let file = |name: &str, bytes: Vec<u8>| (format!("m/{name}"), Counting(Memory::new(name, bytes), most.clone()));
    let mut own = Own::default();
    let all = vec![
        file("config.json", config.to_string().into_bytes()),
        file("tokenizer.json", tokenizer),
        file("model.safetensors", bytes),
        (
            "words.txt".into(),
            Counting(Memory::new("words.txt", "all human beings are born free ".repeat(60).into_bytes()), most.clone()),
        ),
    ];
    assert_eq!(block_on(own.take(all, open)), [""; 0]);
    most.set(0);
    let (task, _) = block_on(task_of(&own, &task(&["words"], 32))).unwrap();
    assert!(most.get() > 1 << 20 && most.get() <= 4 << 20, "{} bytes at once", most.get());
    let table = &task.tensors[0];
    assert!(table.iter().enumerate().all(|(k, &value)| value == (k * 31 % 1009) as f32 / 1e4));
    // Whoever runs it reads these very numbers.
    for buffer in share::<f32>(&task).buffers {
        if let (name, Contents::Fixed(values)) = buffer {
            let known = task.tensors.iter().chain(task.base.iter().map(|layer| &layer.weight));
            assert!(known.into_iter().any(|own| own.is_same(&values)), "{name}");
        }
    }
    let fixed = |(_, contents): &(String, Contents<f32>)| matches!(contents, Contents::Fixed(_));
    let held =
        share::<f32>(&task).buffers.iter().filter(|one| fixed(one)).map(|(_, values)| values.len()).sum::<usize>();
    assert!(held + 8 * 64 > task.network.parameters() - 32 * 16, "{held} of {}", task.network.parameters());
}

/// An adapter that PEFT saved begins a lane: its settings are the lane's, and the lane's logits are transformers' with it.
#[test]
fn an_adapter_begins_a_lane() {
    for name in ["llama_gqa", "qwen2_bias_sharded"] {
        let expected: Value =
            serde_json::from_slice(&std::fs::read(format!("{FOLDER}{name}/expected.json")).unwrap()).unwrap();
        let content = expected["text"].as_str().unwrap();
        let mut own = Own::default();
        let mut all = files(name);
        all.push(text("mine.txt", &content.repeat(8)));
        assert_eq!(take(&mut own, all), [""; 0], "{name}");
        let begun = block_on(adapter(name, |config| config)).unwrap();
        assert_eq!(begun.on(2).to_text(), "lora.r4.a8.q_proj-v_proj-down_proj.from_adapter");
        let ids: Vec<u32> = expected["ids"].as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect();
        let (task, _) = block_on(task_of(&own, &task(&["mine"], ids.len()))).unwrap();
        let query =
            "task=text&model=custom&languages=mine&lanes=lora.r4.a8.q_proj-v_proj-down_proj.from_adapter~lora.r2";
        let mut lab = Lab::new(Config::from_query(query).unwrap(), task, None).unwrap();
        block_on(lab.begin_from(0, &begun)).unwrap();
        let whole = Passages { x: ids.clone(), y: vec![0; ids.len()] };
        let logits = block_on(lab.logits(Some(0), &whole)).unwrap();
        let with = expected["with adapter"].as_array().unwrap();
        for (got, expected) in logits[logits.len() - with.len()..].iter().zip(with) {
            assert!((f64::from(*got) - expected.as_f64().unwrap()).abs() < 1e-3, "{name}: {got}, not {expected}");
        }
        // What a display of a large model reads is the same.
        let answer = block_on(lab.answer(Some(0), &ids)).unwrap();
        assert_eq!(answer.output, logits);
        let refused = block_on(lab.begin_from(1, &begun)).unwrap_err().to_string();
        assert!(refused.contains("to be lora.r4.a8.q_proj-v_proj-down_proj where it begins from adapter"), "{refused}");
    }
}

#[test]
fn an_adapter_that_is_no_lane_is_refused_by_name() {
    let refused = |key: &str, value: Value| {
        let edit = |mut config: Value| {
            config[key] = value.clone();
            config
        };
        block_on(adapter("llama_gqa", edit)).unwrap_err().to_string()
    };
    for (key, value, words) in [
        ("use_dora", true.into(), "use_dora"),
        ("rank_pattern", serde_json::json!({ "q_proj": 2 }), "rank is 4, but adapter_config.json says 2"),
        ("alpha_pattern", serde_json::json!({ "q_proj": 2 }), "alpha_pattern is set"),
        ("peft_type", "ADALORA".into(), "peft_type"),
        ("init_lora_weights", "pissa".into(), "init_lora_weights"),
    ] {
        let message = refused(key, value);
        assert!(message.contains(words), "{key}: {message}");
    }
}

/// The fixture's adapter, its settings edited.
async fn adapter(model: &str, edit: impl Fn(Value) -> Value) -> Result<Begun> {
    let folder = format!("{FOLDER}{model}/adapter");
    let config: Value =
        serde_json::from_slice(&std::fs::read(format!("{folder}/adapter_config.json")).unwrap()).unwrap();
    let config = Memory::new("adapter_config.json", edit(config).to_string().into_bytes());
    let weights = std::fs::read(format!("{folder}/adapter_model.safetensors")).unwrap();
    begun::open("adapter".into(), config, Memory::new("adapter_model.safetensors", weights)).await
}

/// What a run would take is told from the shape alone, and one that does not fit is refused with what to do.
#[test]
fn what_a_run_takes_is_told_before_weights_are_read() {
    let mut own = Own::default();
    assert_eq!(take(&mut own, files("llama_gqa")), [""; 0]);
    let config = Config::from_query("task=text&lanes=lora.r4~molora.n2.r2&batch=2&sequence=16").unwrap();
    let model = own.shape(16).unwrap();
    let fit = fit::needs(&model, &config.lanes, (2, 16), None).unwrap();
    assert_eq!((fit.refused, fit.gpu.len()), (None, 0));
    // 600 · 48 for the table, two blocks, norms, and 16 positions' angles.
    let weights = 600 * 48 + 2 * (2 * 48 * 48 + 2 * 24 * 48 + 3 * 96 * 48) + 5 * 48 + 16 * 12;
    assert_eq!(fit.page[0].1, 4.0 * f64::from(weights));
    let large = ModelConfig { layers: 400, hidden: 2048, head_dim: 512, ..model.config.clone() };
    let refused = fit::needs(&Model::shape(large, 16), &config.lanes, (2, 16), None).unwrap().refused.unwrap();
    assert!(refused.contains("of the page's memory, of at most 3.9 GB: take fewer lanes"), "{refused}");
    let mut timing = Timing::new(model, fit::timed(&config), (2, 16), None);
    let time = (0..9).find_map(|_| block_on(timing.go_on()).unwrap()).unwrap();
    assert!(time.layers == 2 && time.layer > 0.0 && time.whole() >= 2.0 * time.layer);
}
