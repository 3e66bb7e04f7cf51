//! One batch with many adapters: its kernels against their twins, and what it computes against each adapter alone in a lane of
//! its own, which knows nothing of banks.
#![cfg(not(target_arch = "wasm32"))]

mod common;

use common::lanes::{language_model, three_layers};
use common::language::{folder, json};
use common::{assert_close, device, on};
use lora_playground::cases::languages::measured::Measured;
use lora_playground::config::Config;
use lora_playground::exec::Recording;
use lora_playground::exec::cpu::Cpu;
use lora_playground::exec::gpu::{Device, Gpu};
use lora_playground::files::Memory;
use lora_playground::graph::{Buffer, Step, Target};
use lora_playground::lab::Lab;
use lora_playground::lab::library::{Library, Stacked};
use lora_playground::lab::many::Many;
use lora_playground::net::{Bank, CompiledLane, gathering, share};
use lora_playground::rng::Rng;
use lora_playground::task::TaskData;
use lora_playground::task::text::{Model, Passages, given, small_model};
use pollster::block_on;

const BANK: Bank = Bank { adapters: 3, rank: 3, scaling: 1.5 };

/// A bank of random factors, and sequences with each of its adapters in turn and with none.
fn filled(task: &TaskData) -> (CompiledLane, Vec<(Buffer, Vec<f32>)>) {
    let own = gathering(task, BANK);
    let mut rng = Rng::new(5, 5);
    let mut bank = vec![0.0; own.lane.len_of(own.bank)];
    for tensor in own.factors.iter().flatten() {
        let values: Vec<f32> = (0..tensor.len()).map(|_| (0.3 * rng.normal()) as f32).collect();
        tensor.scatter(&mut bank, &values);
    }
    let mut adapter = vec![-1.0; own.lane.len_of(own.adapter)];
    adapter.iter_mut().take(task.batch_sequences).enumerate().for_each(|(i, number)| *number = (i % 4) as f32 - 1.0);
    let written = vec![(own.bank, bank), (own.adapter, adapter)];
    (own.lane, written)
}

fn kernels_agree(target: Target) {
    let mut device = on(target);
    for (name, task) in
        [("layers", three_layers()), ("few tokens", language_model((3, 7))), ("many tokens", language_model((9, 30)))]
    {
        let (lane, written) = filled(&task);
        let mut cpu = Cpu::<f32>::new(share(&task));
        cpu.set_lane(0, lane.clone(), &[]);
        let mut gpu = Gpu::new(device, share(&task));
        let buffers: Vec<_> = (0..lane.buffers.len()).map(|index| (0, Buffer::Lane(index))).collect();
        written.iter().for_each(|(buffer, values)| cpu.write(0, *buffer, values));
        // The second batch of the pool, where there is one.
        let step = Step { x_row: share::<f32>(&task).batch_row(1) as u32, ..Step::default() };
        for pass in &lane.losses {
            let only = CompiledLane { losses: vec![pass.clone()], ..lane.clone() };
            gpu.set_lane(0, only, &[]).unwrap();
            for &(_, buffer) in &buffers {
                gpu.write(0, buffer, &cpu.read(0, buffer)).unwrap();
            }
            cpu.pass(0, pass, &step);
            gpu.run(0, Recording::Losses, step).unwrap();
            for (values, &(_, buffer)) in block_on(gpu.read(&buffers)).unwrap().iter().zip(&buffers) {
                let twin = cpu.read(0, buffer);
                let largest = twin.iter().fold(0.0, |largest: f32, value| largest.max(value.abs()));
                let what = format!("{name}, {}: {}", pass.kernel.name, lane.buffers[buffer.index()].0);
                assert_close(&what, &values[..twin.len()], &twin, (5e-6 * largest).max(1e-5), 1e-4);
            }
        }
        let out = cpu.read(0, lane.output_tensor.0);
        assert!(out.iter().all(|v| v.is_finite()) && out.iter().any(|v| *v != 0.0), "{name}: the output is empty");
        device = gpu.into_device();
    }
}

#[test]
fn every_kernel_agrees_with_its_twin() {
    Target::ALL.into_iter().for_each(kernels_agree);
}

fn data(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/www/data/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn library() -> Library {
    let file = Memory::new("adapters.safetensors", data("lm/adapters.safetensors"));
    block_on(Library::open(file)).unwrap()
}

fn base() -> Model {
    block_on(small_model(async |name: &str| Ok(data(name)))).unwrap()
}

/// Fifty passages, one of each language's sample.
fn passages(sequence: usize) -> Passages {
    let measured = Measured::read(&data("lm/languages.json")).unwrap();
    let mut all = Passages::default();
    for sample in &measured.samples {
        let bytes: Vec<u32> = sample.bytes().take(sequence).map(u32::from).collect();
        let one = Passages::of_all(&bytes, sequence, 0);
        all.x.extend(one.x);
        all.y.extend(one.y);
    }
    all
}

/// A lane with one adapter at a time.
fn alone(library: &Library, sequence: usize, device: Option<Device>) -> Lab {
    let link = format!("task=text&sequence={sequence}&batch=1&lanes=lora.r{}.a{}", library.rank, library.alpha);
    let config = Config::from_query(&link).unwrap();
    let zeros = vec![0; sequence];
    Lab::new(config, given(base(), (1, sequence), &zeros, &zeros).unwrap(), device).unwrap()
}

/// The batch with fifty adapters against fifty single runs.
fn one_by_one(devices: [Option<Device>; 2]) {
    const SEQUENCE: usize = 32;
    let [first, second] = devices;
    let (library, passages) = (library(), passages(SEQUENCE));
    let count = library.names.len();
    assert_eq!(count, 50);
    let many = Many::new(base(), &library, (count, SEQUENCE), first).unwrap();
    let numbers: Vec<_> = (0..count).map(Some).collect();
    many.choose(&numbers).unwrap();
    let together = block_on(many.logits(&passages)).unwrap();
    let nats = block_on(many.nats(&passages)).unwrap();
    let mut lab = alone(&library, SEQUENCE, second);
    let width = together.len() / passages.x.len();
    for (at, name) in library.names.iter().enumerate() {
        for site in &library.sites {
            let (a, b) = site.of(at, library.rank);
            block_on(lab.set_tensor(0, &format!("{}.lora_A", site.name), a)).unwrap();
            block_on(lab.set_tensor(0, &format!("{}.lora_B", site.name), b)).unwrap();
        }
        let range = at * SEQUENCE..(at + 1) * SEQUENCE;
        let own = Passages { x: passages.x[range.clone()].to_vec(), y: passages.y[range.clone()].to_vec() };
        let wanted = block_on(lab.logits(Some(0), &own)).unwrap();
        let got = &together[range.start * width..range.end * width];
        assert_close(&format!("{name} on {}", many.backend()), got, &wanted, 1e-5, 1e-4);
        let wanted = block_on(lab.nats(Some(0), &own)).unwrap();
        assert_close(&format!("{name}, nats"), &nats[range], &wanted, 1e-5, 1e-4);
    }
}

#[test]
fn fifty_at_once_are_fifty_alone_on_the_cpu() {
    one_by_one([None, None]);
}

#[test]
fn fifty_at_once_are_fifty_alone_on_webgpu() {
    one_by_one([Some(device()), Some(device())]);
}

/// A switch is a number: the same passage with another adapter, and with none, needs nothing but that.
#[test]
fn a_switch_changes_what_a_passage_costs_and_back() {
    let (library, all) = (library(), passages(32));
    let many = Many::new(base(), &library, (1, 32), None).unwrap();
    let german = Passages { x: all.x[..32].to_vec(), y: all.y[..32].to_vec() };
    let cost = |adapter: Option<usize>| {
        many.choose(&[adapter]).unwrap();
        block_on(many.nats(&german)).unwrap().iter().sum::<f32>()
    };
    let (none, own, other) = (cost(None), cost(Some(0)), cost(library.find("zul")));
    assert!(own < none && own < other, "German costs {own} with its adapter, {none} without, {other} with Zulu's");
    assert_eq!(cost(None), none, "without an adapter the base is as it was");
    // A lane without adapters knows the same.
    let mut lab = alone(&library, 32, None);
    let alone: f32 = block_on(lab.nats(None, &german)).unwrap().iter().sum();
    assert!((alone - none).abs() < 1e-3, "{alone} and {none}");
}

#[test]
fn what_does_not_fit_is_said() {
    let library = library();
    let many = Many::new(base(), &library, (2, 8), None).unwrap();
    let said = |error: lora_playground::error::Error| error.to_string();
    assert!(said(many.choose(&[Some(50)]).unwrap_err()).contains("no adapter \"50\"; they are numbered 0 to 49"));
    assert!(said(many.choose(&[None; 3]).unwrap_err()).contains("at most 2, one for each passage, got 3"));
    let long = Passages { x: vec![0; 17], y: vec![0; 17] };
    assert!(said(block_on(many.nats(&long)).unwrap_err()).contains("at most 16 tokens, got 17"));
    let mut other = library.clone();
    other.sites[0].name = "elsewhere".into();
    let missing = said(Many::new(base(), &other, (1, 8), None).err().unwrap());
    assert!(missing.contains("there is no layer of the adapters"), "{missing}");
}

#[test]
fn a_file_of_adapters_is_read_as_it_was_written_and_no_other_is_taken() {
    let mut rng = Rng::new(3, 3);
    // Halves hold multiples of 1/64 below 4 exactly.
    let mut values = |count| (0..count).map(|_| rng.below(256) as f32 / 64.0 - 2.0).collect::<Vec<_>>();
    let mut site = |name: &str, inputs, outputs| Stacked {
        name: name.into(),
        inputs,
        outputs,
        a: values(2 * 3 * inputs),
        b: values(2 * 3 * outputs),
    };
    let sites = vec![site("a", 5, 7), site("b", 4, 2)];
    let library = Library { names: vec!["one".into(), "two".into()], rank: 3, alpha: 6.0, sites };
    let mut file = Vec::new();
    block_on(library.write(&mut file, "a test")).unwrap();
    assert_eq!(block_on(Library::open(Memory::new("file", file))).unwrap(), library);
    assert_eq!((library.scaling(), library.parameters()), (2.0, 3 * 12 + 3 * 6));
    // Cosines are those of the whole changes.
    let change = |adapter: usize| -> Vec<f64> {
        let of = |site: &Stacked| {
            let (a, b) = site.of(adapter, 3);
            let cell =
                |o: usize, i: usize| (0..3).map(|r| f64::from(b[o * 3 + r]) * f64::from(a[r * site.inputs + i])).sum();
            (0..site.outputs)
                .flat_map(|o| (0..site.inputs).map(move |i| (o, i)))
                .map(|(o, i)| cell(o, i))
                .collect::<Vec<f64>>()
        };
        library.sites.iter().flat_map(of).collect()
    };
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let (one, two) = (change(0), change(1));
    let wanted = dot(&one, &two) / (dot(&one, &one) * dot(&two, &two)).sqrt();
    let got = library.cosines();
    assert!((got[0][1] - wanted).abs() < 1e-12 && got[0][1] == got[1][0] && got[0][0] == 1.0, "{got:?}, not {wanted}");
    let base = Memory::new("model.safetensors", data("lm/model.safetensors"));
    let error = block_on(Library::open(base)).unwrap_err().to_string();
    assert!(error.contains("model.safetensors") && error.contains("no library of adapters"), "{error}");
}

/// What the page ships, read anew, against the prototype in PyTorch and against what is written beside it.
#[test]
fn held_out_bits_are_the_prototypes_and_those_written_down() {
    let library = library();
    let measured = Measured::read(&data("lm/languages.json")).unwrap();
    assert_eq!(measured.codes, library.names);
    let (held, length) = (measured.settings.held, measured.settings.passage);
    let prototype = json(&folder("prototype/swap.json"));
    let texts: serde_json::Value = serde_json::from_slice(&data("lm/texts.json")).unwrap();
    let many = Many::new(base(), &library, (held / length, length), None).unwrap();
    let codes = prototype["codes"].as_array().unwrap();
    assert_eq!(codes.len(), 20);
    for (at, code) in codes.iter().map(|code| code.as_str().unwrap()).enumerate() {
        let bytes: Vec<u32> = texts[code]["held"].as_str().unwrap().bytes().take(held).map(u32::from).collect();
        let passages = Passages::of(&bytes, length, 0);
        let own = library.find(code).unwrap();
        for (adapter, theirs, written) in [
            (None, &prototype["base"][at], measured.base[own]),
            (Some(own), &prototype["own"][at], measured.bits[own][own]),
        ] {
            many.choose(&vec![adapter; held / length]).unwrap();
            let nats: f64 = block_on(many.nats(&passages)).unwrap().iter().map(|&v| f64::from(v)).sum();
            let bits = nats / held as f64 / std::f64::consts::LN_2;
            let theirs = theirs.as_f64().unwrap();
            assert!((bits - written).abs() < 1e-3, "{code}, {adapter:?}: {bits} here, {written} written down");
            assert!((bits - theirs).abs() <= 0.1, "{code}, {adapter:?}: {bits} here, {theirs} in the prototype");
        }
    }
}

/// The limit on what is shipped.
#[test]
fn the_file_of_adapters_is_at_most_three_megabytes() {
    let size = data("lm/adapters.safetensors").len();
    assert!(size <= 3_000_000, "{size} bytes");
    assert_eq!(Measured::read(&data("lm/languages.json")).unwrap().bytes.adapters, size);
}
