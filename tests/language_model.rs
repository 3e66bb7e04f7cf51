//! Language models against PyTorch: every intermediate of the reference model, and for each lane logits, gates, gradients,
//! 20 steps of AdamW and what they leave, on both backends; models as people bring them against transformers and PEFT.
#![cfg(not(target_arch = "wasm32"))]

mod common;

use common::language::{Stored, close, folder, json, model};
use common::on;
use lora_playground::config::{Config, Lane, Optimizer};
use lora_playground::exec::Recording;
use lora_playground::exec::cpu::Cpu;
use lora_playground::exec::gpu::{Device, Gpu};
use lora_playground::graph::{Buffer, Step, Target};
use lora_playground::lab::Lab;
use lora_playground::net::{compile, share};
use lora_playground::op::pad;
use lora_playground::task::TaskData;
use lora_playground::task::evaluate::{evaluate, frozen};
use lora_playground::task::text::given;
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
            let split = own.find("_proj.").unwrap() + "_proj".len();
            let got = block_on(lab.tensor(0, &format!("{}.grad{}", &own[..split], &own[split..]))).unwrap();
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

#[test]
fn cpu_follows_pytorch() {
    let folder = folder("");
    methods(&folder).iter().for_each(|name| drop(follow(&folder, name, None)));
}

#[test]
fn gpu_follows_pytorch() {
    let folder = folder("");
    for target in Target::ALL {
        let mut held = Some(on(target));
        for name in methods(&folder) {
            held = follow(&folder, &name, held.take());
        }
    }
}
