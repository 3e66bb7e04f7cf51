//! Language models against PyTorch: every intermediate of the reference model, and for each lane logits, gates, gradients,
//! 20 steps of AdamW and what they leave, on both backends; models as people bring them against transformers and PEFT.
#![cfg(not(target_arch = "wasm32"))]

mod common;

use common::language::{Stored, close, folder, json, model, small};
use common::on;
use lora_playground::config::{Config, Lane, Optimizer, SavedModule, Task, Text};
use lora_playground::exec::Recording;
use lora_playground::exec::cpu::Cpu;
use lora_playground::exec::gpu::{Device, Gpu};
use lora_playground::files::{Checkpoint, Memory};
use lora_playground::graph::{Buffer, Step, Target};
use lora_playground::lab::{Lab, export};
use lora_playground::method::LORA;
use lora_playground::net::{compile, share};
use lora_playground::op::pad;
use lora_playground::peft::Adapter;
use lora_playground::task::TaskData;
use lora_playground::task::evaluate::{evaluate, frozen};
use lora_playground::task::text::{Model, ModelConfig, Passages, given};
use ndarray::Array2;
use pollster::block_on;
use serde_json::{Value, json as document};

const BATCH: usize = 2;
const SEQUENCE: usize = 16;

fn task() -> TaskData {
    let stored = Stored::open(&folder("forward.safetensors"));
    given(model(&folder("base"), SEQUENCE), (BATCH, SEQUENCE), &stored.tokens("x"), &stored.tokens("y")).unwrap()
}

/// `[tokens, width]` from `[batch, heads, tokens, width of a head]`.
fn heads_side_by_side(shape: &[usize], values: &[f64]) -> Vec<f64> {
    let &[batch, heads, sequence, width] = shape else { return values.to_vec() };
    let mut out = Vec::with_capacity(values.len());
    for (b, s) in (0..batch).flat_map(|b| (0..sequence).map(move |s| (b, s))) {
        for h in 0..heads {
            let at = ((b * heads + h) * sequence + s) * width;
            out.extend(&values[at..at + width]);
        }
    }
    out
}

/// What the reference calls an intermediate, from the name of its buffer.
fn reference_name(buffer: &str) -> Option<String> {
    let name = buffer.strip_suffix(".y")?;
    match name {
        "model.embed_tokens" => Some("embedding".into()),
        "model.norm" => Some("norm".into()),
        "logits" => Some("logits".into()),
        _ => name.strip_prefix("model.").map(str::to_owned),
    }
}

fn intermediates(what: &str, read: impl Fn(Buffer) -> Vec<f32>) {
    let task = task();
    let compiled = compile(&task, &Lane::base(), &Optimizer::default());
    let stored = Stored::open(&folder("forward.safetensors"));
    let mut met = 0;
    for (index, (name, _)) in compiled.buffers.iter().enumerate() {
        let Some((shape, values)) = reference_name(name).and_then(|name| stored.get(&name)) else { continue };
        let expected = heads_side_by_side(&shape, &values);
        let width = expected.len() / (BATCH * SEQUENCE);
        let got: Vec<f32> =
            read(Buffer::Lane(index)).chunks_exact(pad(width)).flat_map(|row| &row[..width]).copied().collect();
        close(&format!("{what}: {name}"), &got, &expected, 1e-4, 1e-4);
        met += 1;
    }
    assert_eq!(met + 2, stored.names().len(), "every intermediate is compared; the other two are x and y");
}

#[test]
fn intermediates_are_pytorchs() {
    let task = task();
    let lane = || compile(&task, &Lane::base(), &Optimizer::default());
    let params = vec![0.0; lane().padded];
    let mut cpu = Cpu::<f32>::new(share(&task));
    cpu.set_lane(0, lane(), &params);
    cpu.run(0, Recording::Output, Step::default());
    intermediates("cpu", |buffer| cpu.read(0, buffer));
    for target in Target::ALL {
        let mut gpu = Gpu::new(on(target), share(&task));
        gpu.set_lane(0, lane(), &params).unwrap();
        gpu.run(0, Recording::Output, Step::default()).unwrap();
        intermediates(&format!("{target:?}"), |buffer| block_on(gpu.read(&[(0, buffer)])).unwrap().remove(0));
    }
}

/// The network in plain numbers, written apart from kernels and twins.
#[test]
fn plain_numbers_agree() {
    let task = task();
    let rows = Array2::from_shape_fn((BATCH * SEQUENCE, 1), |(row, _)| f64::from(task.x[row]));
    let got = evaluate(&task, task.network.output(), &rows, frozen(&task.network, &task.base));
    let (_, expected) = Stored::open(&folder("forward.safetensors")).get("logits").unwrap();
    // Weights of the frozen tensors are f32, rotations too.
    close("logits", &got.iter().map(|&v| v as f32).collect::<Vec<_>>(), &expected, 1e-5, 1e-5);
}

/// The lane of one of the reference's methods, as a document.
fn lane(method: &Value) -> Value {
    let mut lane = method.clone();
    let map = lane.as_object_mut().unwrap();
    map.remove("parameters");
    map.remove("losses");
    map.remove("saved");
    lane
}

/// Trains one of the reference's lanes and compares all that PyTorch recorded. Returns the device.
fn follow(folder: &str, name: &str, device: Option<Device>) -> Option<Device> {
    let reference = json(&format!("{folder}/losses.json"));
    let method = &reference["methods"][name];
    let config = document!({
        "version": 1, "task": { "kind": "text", "model": "custom" }, "lanes": [lane(method)],
        "optimizer": { "lr": reference["lr"] },
        "schedule": { "warmup": reference["warmup"], "total": reference["total"] },
    });
    let config = Config::from_value(&config).unwrap();
    let stored = Stored::open(&format!("{folder}/{name}.safetensors"));
    let mut lab = Lab::new(config, task(), device).unwrap();
    assert_eq!(lab.parameter_count(0) as u64, method["parameters"].as_u64().unwrap(), "{name}");
    let values = |name: &str| stored.get(name).unwrap().1;
    for tensor in stored.names().iter().filter_map(|name| name.strip_prefix("start.")) {
        let start: Vec<f32> = values(&format!("start.{tensor}")).iter().map(|&v| v as f32).collect();
        block_on(lab.set_tensor(0, tensor, &start)).unwrap();
    }
    let what = format!("{name} on {}", lab.backend());
    close(&format!("{what}: logits"), &block_on(lab.tensor(0, "output")).unwrap(), &values("logits"), 1e-4, 1e-4);
    for tensor in stored.names() {
        if let Some(module) = tensor.strip_prefix("gate.").filter(|module| module.ends_with("_proj")) {
            let got = block_on(lab.tensor(0, &format!("{module}.gate"))).unwrap();
            close(&format!("{what}: {tensor}"), &got, &values(&tensor), 1e-4, 0.0);
        }
        if let Some(own) = tensor.strip_prefix("grad.") {
            let (module, part) = own.split_at(own.find("_proj.").map_or_else(|| own.rfind('.').unwrap(), |at| at + 5));
            let got = block_on(lab.tensor(0, &format!("{module}.grad{part}"))).unwrap();
            close(&format!("{what}: {tensor}"), &got, &values(&tensor), 1e-5, 1e-3);
        }
    }
    let losses: Vec<f64> = method["losses"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
    block_on(lab.train(losses.len())).unwrap();
    let got: Vec<f32> = lab.losses(0).iter().map(|&v| v as f32).collect();
    close(&format!("{what}: losses"), &got, &losses, 0.0, 1e-4);
    for tensor in stored.names().iter().filter_map(|name| name.strip_prefix("end.")) {
        let got = block_on(lab.tensor(0, tensor)).unwrap();
        close(&format!("{what}: end.{tensor}"), &got, &values(&format!("end.{tensor}")), 1e-3, 1e-3);
    }
    lab.into_device()
}

fn methods(folder: &str) -> Vec<String> {
    json(&format!("{folder}/losses.json"))["methods"].as_object().unwrap().keys().cloned().collect()
}

/// The methods, and what PEFT trains whole beside one of them.
fn references() -> [String; 2] {
    [folder(""), folder("saved")]
}

#[test]
fn cpu_follows_pytorch() {
    for folder in references() {
        methods(&folder).iter().for_each(|name| drop(follow(&folder, name, None)));
    }
}

#[test]
fn gpu_follows_pytorch() {
    for target in Target::ALL {
        let mut held = Some(on(target));
        for folder in references() {
            for name in methods(&folder) {
                held = follow(&folder, &name, held.take());
            }
        }
    }
}

/// A trained lane that trains tables whole, saved under PEFT's names, and merged: the model is another one, whose head is its
/// own even where the base's is tied.
#[test]
fn tables_trained_whole_are_saved() {
    let reference = json(&folder("saved/losses.json"));
    for (name, method) in reference["methods"].as_object().unwrap() {
        let config = document!({ "version": 1, "task": { "kind": "text", "model": "custom" }, "lanes": [lane(method)],
                                 "schedule": { "warmup": 1, "total": 20 } });
        let config = Config::from_value(&config).unwrap();
        let mut lab = Lab::new(config, task(), None).unwrap();
        block_on(lab.train(5)).unwrap();
        let logits: Vec<f64> = block_on(lab.tensor(0, "output")).unwrap().iter().map(|&v| v.into()).collect();

        let files = block_on(export::peft(&lab, 0)).unwrap();
        let said: Value = serde_json::from_str(&files.config).unwrap();
        assert_eq!(said["modules_to_save"], method["modules_to_save"], "{name}");
        let stored = Stored::of(files.adapter.clone());
        let mut names: Vec<String> = stored.names().into_iter().filter(|key| !key.contains("lora_")).collect();
        names.sort();
        assert_eq!(document!(names), method["saved"], "{name}");
        for key in &names {
            let own = key.strip_prefix("base_model.model.").unwrap().strip_suffix(".weight").unwrap();
            let change = block_on(lab.tensor(0, &format!("{own}.delta"))).unwrap();
            assert!(change.iter().any(|&v| v.abs() > 1e-3), "{name}: {own} was not trained");
            // Both are the embedding's, where the base ties them.
            let base = lab.task.table(SavedModule::Embedding);
            let whole: Vec<f64> = base.iter().zip(&change).map(|(base, v)| f64::from(base + v)).collect();
            close(key, &stored.get(key).unwrap().1.iter().map(|&v| v as f32).collect::<Vec<_>>(), &whole, 0.0, 0.0);
        }
        let source = Memory::new("adapter_model.safetensors", files.adapter);
        let adapter = block_on(Adapter::open(source, Some(files.config.as_bytes()))).unwrap();
        assert_eq!((adapter.not_understood.len(), adapter.whole.len()), (0, names.len()), "{name}");

        let merged = block_on(export::merged_model(&lab, 0)).unwrap();
        let mut about = json(&folder("base/config.json"));
        about["tie_word_embeddings"] = false.into();
        let model = block_on(async {
            let weights = Checkpoint::open(vec![Memory::new("model.safetensors", merged)]).await.unwrap();
            Model::read(ModelConfig::from_value(&about).unwrap(), &weights, SEQUENCE, async |_| Ok(())).await.unwrap()
        });
        let stored = Stored::open(&folder("forward.safetensors"));
        let task = given(model, (BATCH, SEQUENCE), &stored.tokens("x"), &stored.tokens("y")).unwrap();
        let alone =
            document!({ "version": 1, "task": { "kind": "text", "model": "custom" }, "lanes": [{ "method": "lora" }] });
        let lab = Lab::new(Config::from_value(&alone).unwrap(), task, None).unwrap();
        close(&format!("{name}, merged"), &block_on(lab.tensor(0, "output")).unwrap(), &logits, 1e-4, 1e-4);
    }
}

/// The script that wrote the reference cast the whole model to bfloat16 and back, and with its weights the frequencies of
/// its rotary positions, which no file holds. Loaded from the same file, transformers itself has them in full, as the engine
/// has, and is 0.021 away from the reference's logits; with rounded frequencies it is 2e-6 away.
fn as_the_reference_was_cast(model: &mut Model, positions: usize) {
    let frequencies = model.config.rope.frequencies(model.config.head_dim);
    let rounded = frequencies.iter().map(|&v| f64::from(half::bf16::from_f64(v).to_f32())).collect::<Vec<_>>();
    let rotary = model.network.tensors().iter().position(|tensor| tensor.name == "rotary").unwrap();
    model.tensors[rotary] = (0..positions)
        .flat_map(|position| {
            let angles = rounded.iter().map(move |frequency| position as f64 * frequency);
            let cosines: Vec<f32> = angles.clone().map(|angle| angle.cos() as f32).collect();
            cosines.into_iter().chain(angles.map(|angle| angle.sin() as f32))
        })
        .collect::<Vec<f32>>()
        .into();
}

/// A model as people bring it, with the adapter beside it, against what transformers and PEFT make of both.
fn brought(name: &str, device: Option<Device>) -> Option<Device> {
    let folder = folder(&format!("own/{name}"));
    let expected = json(&format!("{folder}/expected.json"));
    let ids: Vec<i32> = expected["ids"].as_array().unwrap().iter().map(|id| id.as_i64().unwrap() as i32).collect();
    // Its loss is the mean over all tokens but the first, each predicted from those before it.
    let next: Vec<i32> = ids[1..].iter().copied().chain([-1]).collect();
    let mut model = model(&folder, ids.len());
    if json(&format!("{folder}/config.json"))["dtype"] == "bfloat16" {
        as_the_reference_was_cast(&mut model, ids.len());
    }
    let task = given(model, (1, ids.len()), &ids, &next).unwrap();
    let adapter = json(&format!("{folder}/adapter/adapter_config.json"));
    let config = document!({
        "version": 1, "task": { "kind": "text", "model": "custom" },
        "lanes": [{ "method": "lora", "rank": adapter["r"], "alpha": adapter["lora_alpha"],
                    "targets": adapter["target_modules"] }],
        // The first of two steps of warmup: losses without an update.
        "schedule": { "warmup": 2, "total": 2 },
    });
    let mut lab = Lab::new(Config::from_value(&config).unwrap(), task, device).unwrap();
    let vocabulary = block_on(lab.tensor(0, "output")).unwrap().len() / ids.len();
    let numbers = |key: &str| expected[key].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect::<Vec<_>>();
    let what = format!("{name} on {}", lab.backend());
    let last = |logits: Vec<f32>| logits[logits.len() - vocabulary..].to_vec();
    let plain = last(block_on(lab.tensor(0, "output")).unwrap());
    close(&format!("{what}: plain"), &plain, &numbers("logits of the last token"), 1e-3, 0.0);
    let stored = Stored::open(&format!("{folder}/adapter/adapter_model.safetensors"));
    for key in stored.names() {
        let own = key.strip_prefix("base_model.model.").unwrap().strip_suffix(".weight").unwrap();
        let values: Vec<f32> = stored.get(&key).unwrap().1.iter().map(|&v| v as f32).collect();
        block_on(lab.set_tensor(0, own, &values)).unwrap();
    }
    let adapted = last(block_on(lab.tensor(0, "output")).unwrap());
    close(&format!("{what}: adapted"), &adapted, &numbers("with adapter"), 1e-3, 0.0);
    for (tensor, norm) in expected["gradient norms with adapter"].as_object().unwrap() {
        let split = tensor.find("_proj.").unwrap() + "_proj".len();
        let gradient = block_on(lab.tensor(0, &format!("{}.grad{}", &tensor[..split], &tensor[split..]))).unwrap();
        let got = gradient.iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>().sqrt();
        close(&format!("{what}: norm of {tensor}"), &[got as f32], &[norm.as_f64().unwrap()], 0.0, 2e-3);
    }
    block_on(lab.train(1)).unwrap();
    let loss = expected["loss with adapter"].as_f64().unwrap();
    close(&format!("{what}: loss"), &[lab.losses(0)[0] as f32], &[loss], 0.0, 1e-4);
    lab.into_device()
}

fn own() -> Vec<String> {
    let all = std::fs::read_dir(folder("own")).unwrap();
    all.map(|one| one.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn models_as_people_bring_them_on_the_cpu() {
    own().iter().for_each(|name| drop(brought(name, None)));
}

#[test]
fn models_as_people_bring_them_on_the_gpu() {
    let mut held = Some(on(Target::Gpu));
    for name in own() {
        held = brought(&name, held.take());
    }
}

/// What a later token is leaves every logit before it exactly as it was.
#[test]
fn no_gate_reads_ahead() {
    for gate in ["token", "running"] {
        let lanes = document!([{ "method": "mor1e", "experts": 4, "gate": gate, "hidden": 6 }]);
        let config = document!({ "version": 1, "task": { "kind": "text", "model": "custom" }, "lanes": lanes });
        let logits = |last: i32| {
            let stored = Stored::open(&folder("forward.safetensors"));
            let mut x = stored.tokens("x");
            x[SEQUENCE - 1] = last;
            let model = model(&folder("base"), SEQUENCE);
            let task = given(model, (BATCH, SEQUENCE), &x, &stored.tokens("y")).unwrap();
            let mut lab = Lab::new(Config::from_value(&config).unwrap(), task, None).unwrap();
            let start = Stored::open(&folder(&format!("mor1e_{gate}.safetensors")));
            for tensor in start.names().iter().filter_map(|name| name.strip_prefix("start.")) {
                let values: Vec<f32> =
                    start.get(&format!("start.{tensor}")).unwrap().1.iter().map(|&v| v as f32).collect();
                block_on(lab.set_tensor(0, tensor, &values)).unwrap();
            }
            block_on(lab.tensor(0, "output")).unwrap()
        };
        let (one, other) = (logits(65), logits(90));
        let width = one.len() / (BATCH * SEQUENCE);
        let before = (SEQUENCE - 1) * width;
        assert_eq!(one[..before], other[..before], "{gate}: logits before the last token");
        assert_ne!(one[before..before + width], other[before..before + width], "{gate}: its own");
        assert_eq!(one[before + width..], other[before + width..], "{gate}: the other passage");
    }
    let pooled = document!({ "version": 1, "task": { "kind": "text" }, "lanes": [{ "method": "mor1e" }] });
    let message = Config::from_value(&pooled).unwrap_err().to_string();
    assert!(message.contains("lanes[0].gate: \"pooled\"") && message.contains("to be predicted"), "{message}");
}

/// Bits per byte of the base on whole held-out texts in passages of 64, as the prototype measured them.
#[test]
fn base_costs_what_the_prototype_measured() {
    const EXPECTED: [(&str, f64); 9] = [
        ("deu_1996", 4.666),
        ("swh", 3.312),
        ("ell_monotonic", 16.281),
        ("rus", 2.534),
        ("eng", 2.665),
        ("fra", 2.582),
        ("spa", 2.455),
        ("por_PT", 2.663),
        ("ita", 2.513),
    ];
    for (code, expected) in EXPECTED {
        let text = Text { languages: vec![code.into()], ..Text::default() };
        let (task, texts) = small(&text, 1);
        let config = Config { task: Task::Text(text), lanes: vec![Lane::from(&LORA)], ..Config::default() };
        let mut lab = Lab::new(config, task, None).unwrap();
        let held = texts.held.iter().find(|(other, _)| other == code).unwrap();
        let passages = Passages::of(&held.1, 64, 0);
        let nats = block_on(lab.nats(None, &passages)).unwrap();
        let bits = nats.iter().map(|&v| f64::from(v)).sum::<f64>() / nats.len() as f64 / std::f64::consts::LN_2;
        println!("{code} {bits:.4}");
        assert!((bits - expected).abs() < 0.005, "{code}: {bits}, not {expected}");
    }
}

/// A run restored after its device was lost scores as before, and a lane given more rank or experts answers as before.
#[test]
fn restored_and_resized_runs_answer_as_before() {
    let query = "task=text&batch=2&sequence=32&languages=rus&lanes=lora.r4.l2-3.lr0.01~mor1e.n4.running.down_proj.lr0.02&total=50&warmup=1";
    let config = Config::from_query(query).unwrap();
    let Task::Text(text) = &config.task else { panic!("text") };
    let (task, texts) = small(text, 1);
    let passages = Passages::of(&texts.train[0].1[..96], 32, 0);
    let mut lab = Lab::new(config.clone(), task, None).unwrap();
    block_on(lab.train(5)).unwrap();
    let all = |lab: &mut Lab| -> Vec<Vec<f32>> {
        [None, Some(0), Some(1)].iter().map(|&lane| block_on(lab.nats(lane, &passages)).unwrap()).collect()
    };
    let before = all(&mut lab);
    assert_ne!(before[0], before[1]);
    let snapshot = block_on(lab.snapshot()).unwrap();
    lab.restore(None, &snapshot).unwrap();
    assert_eq!(all(&mut lab), before);
    for (lane, size) in [(0, 6), (1, 7)] {
        block_on(lab.set_rank(lane, size)).unwrap();
    }
    for (now, before) in all(&mut lab).iter().zip(&before) {
        let before: Vec<f64> = before.iter().map(|&v| v.into()).collect();
        close("nats", now, &before, 1e-3, 1e-3);
    }
    block_on(lab.train(2)).unwrap();
}

/// What DEFLATE makes of the training texts, as the data say.
#[test]
fn compressed_sizes_are_those_of_the_texts() {
    use std::io::Write;
    let texts = json(concat!(env!("CARGO_MANIFEST_DIR"), "/www/data/lm/texts.json"));
    for (code, text) in texts.as_object().unwrap() {
        let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(text["train"].as_str().unwrap().as_bytes()).unwrap();
        let (ours, told) = (encoder.finish().unwrap().len() as f64, text["deflated"].as_f64().unwrap());
        // Two implementations of the same level differ a little.
        assert!((ours / told - 1.0).abs() < 0.02, "{code}: {ours} bytes, told {told}");
    }
}
