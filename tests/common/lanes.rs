//! Every method and variant, and networks of awkward sizes to try them on: nothing is a multiple of the kernels'
//! padding.

use super::language::{folder, model};
use lora_playground::config::{Lane, Named, SavedModule};
use lora_playground::fixed::{Fixed, Stored};
use lora_playground::method::{ADALORA, DORA, DYLORA, FULL, LORA, METHODS, MOLORA, MOR1E, MORA};
use lora_playground::net::CompiledLane;
use lora_playground::rng::Rng;
use lora_playground::task::custom::{Shape, custom};
use lora_playground::task::text::given;
use lora_playground::task::{BaseLayer, LossKind, Network, Soft, Targets, TaskData, UNCOUNTED};

/// With a term that evens the use of experts: a coefficient that f32 holds exactly, large enough to matter.
fn balanced(lane: Lane, kind: &'static str) -> Lane {
    lane.with("balance.kind", kind).with("balance.coefficient", 0.5)
}

pub fn lora(rank: usize, alpha: f64) -> Lane {
    Lane::from(&LORA).with("rank", rank).with("alpha", alpha)
}

/// Soft routing.
pub fn molora(experts: usize, rank: usize, alpha: f64) -> Lane {
    Lane::from(&MOLORA).with("experts", experts).with("rank", rank).with("alpha", alpha)
}

pub fn mor1e(experts: usize, alpha: f64, gate: &'static str) -> Lane {
    Lane::from(&MOR1E).with("experts", experts).with("alpha", alpha).with("gate", gate)
}

/// Every method and variant with its name. Scalings are exact in f32 but for rsLoRA's.
pub fn variants() -> Vec<(&'static str, Lane)> {
    let routed =
        |top_k: usize, renormalize: bool| molora(5, 2, 3.0).with("top_k", top_k).with("renormalize", renormalize);
    let intuition = |gate| mor1e(5, 1.5, gate).with("hidden", 6);
    let shared = |gate, readers: usize| mor1e(6, 1.5, gate).with("hidden", 6).with("flex", readers);
    // Gates by prototypes are several times as large as shares of 1; at a smaller scaling three layers of them bend as
    // little over a finite difference as the others do.
    let prototype = || mor1e(6, 0.375, "prototype");
    let ranked = |method, rank: usize, alpha: f64| Lane::from(method).with("rank", rank).with("alpha", alpha);
    let mut all = vec![
        ("full", Lane::from(&FULL)),
        ("lora", lora(4, 6.0)),
        ("lora of rank 11", lora(11, 22.0)),
        ("rslora", lora(3, 2.0).with("rslora", true)),
        ("molora", routed(0, false)),
        ("molora of 9 experts", molora(9, 3, 6.0)),
        ("molora top 2", routed(2, false)),
        ("molora top 2 renormalised", routed(2, true)),
        ("molora with entropy", balanced(routed(0, false), "entropy")),
        ("molora with switch", balanced(routed(0, false), "switch")),
        ("molora top 2 with switch", balanced(routed(2, false), "switch")),
        ("molora top 3 renormalised with entropy", balanced(routed(3, true), "entropy")),
        ("mor1e pooled", intuition("pooled")),
        ("mor1e token", intuition("token")),
        ("mor1e pooled with entropy", balanced(intuition("pooled"), "entropy")),
        ("mor1e pooled with switch", balanced(intuition("pooled"), "switch")),
        ("mor1e token with entropy", balanced(intuition("token"), "entropy")),
        ("mor1e token with switch", balanced(intuition("token"), "switch")),
        ("mor1e prototype", prototype()),
        ("mor1e prototype flex 3", prototype().with("flex", 3)),
        ("mor1e token flex 2 with entropy", balanced(shared("token", 2), "entropy")),
        ("mor1e pooled flex 6 with switch", balanced(shared("pooled", 6), "switch")),
        ("dora", ranked(&DORA, 3, 6.0)),
        ("mora", Lane::from(&MORA).with("rank", 2)),
        ("adalora", ranked(&ADALORA, 4, 6.0)),
        ("dylora", ranked(&DYLORA, 5, 10.0)),
        ("lora+", lora(4, 6.0).with("lr_ratio", 8.0)),
        ("pissa", lora(3, 6.0).with("init", "pissa")),
        ("binary lora", lora(3, 6.0).with("weights", "binary")),
        ("ternary molora", molora(3, 2, 4.0).with("weights", "ternary")),
        ("binary molora top 2", balanced(routed(2, true), "switch").with("weights", "binary")),
        ("molora+, warm", routed(0, false).with("lr_ratio", 4.0).with("temperature", 2.0)),
        ("noisy molora top 2", balanced(routed(2, false), "entropy").with("noise", 0.5).with("temperature", 0.5)),
        ("orthogonal prototypes", prototype().with("orthogonality", 0.5)),
        ("orthogonal flex", prototype().with("flex", 3).with("orthogonality", 0.5)),
        ("orthogonal mor1e", balanced(intuition("token"), "entropy").with("orthogonality", 0.5)),
    ];
    // A method that nobody has written a line for is tried as it comes.
    for &method in METHODS {
        if !all.iter().any(|(_, lane)| std::ptr::eq(lane.method, method)) {
            all.push((method.name, method.into()));
        }
    }
    all
}

/// Lanes and networks whose recordings have every kernel there is, in every form, with names.
pub fn cases() -> Vec<(String, TaskData, Lane)> {
    let mut all = vec![];
    for (name, lane) in variants() {
        for (network, task) in [("one layer", one_layer()), ("three layers", three_layers())] {
            all.push((format!("{name}, {network}"), task, lane.clone()));
        }
        let lane = Lane { layers: Some(vec![1]), ..lane };
        all.push((format!("{name}, middle layer"), three_layers(), lane));
    }
    // From 8 slots to 48, and up to 56 columns with the router's.
    for lane in [lora(8, 4.0), molora(2, 6, 3.0), molora(4, 6, 3.0), molora(4, 8, 4.0), molora(6, 8, 4.0)] {
        all.push((format!("many tokens, {lane:?}"), many_tokens(), lane));
    }
    for lane in [Lane::from(&FULL), lora(4, 6.0), mor1e(5, 1.5, "pooled")] {
        all.push((format!("residual paths, {lane:?}"), residual(), lane));
    }
    for lane in [Lane::from(&FULL), molora(4, 2, 4.0), mor1e(5, 1.5, "pooled")] {
        all.push((format!("mean of tokens, {lane:?}"), mean_of_tokens(), lane));
    }
    for lane in [Lane::from(&FULL), molora(4, 2, 4.0)] {
        all.push((format!("distilled, {lane:?}"), distilled(), lane));
    }
    let lanes = [lora(8, 16.0), mor1e(4, 1.5, "running"), Lane::from(&FULL), molora(4, 2, 4.0), molora(4, 8, 4.0)];
    for (i, lane) in lanes.into_iter().enumerate() {
        // As many tokens as kernels take in several turns, and a few.
        let shape = if i % 2 == 0 { (9, 30) } else { (3, 7) };
        all.push((format!("language model, {shape:?}, {lane:?}"), language_model(shape), lane));
    }
    for modules in [vec![SavedModule::Embedding], vec![SavedModule::Head], SavedModule::ALL.to_vec()] {
        let lane = Lane { modules_to_save: modules, layers: Some(vec![1]), ..lora(4, 6.0) };
        all.push((format!("language model, {lane:?}"), language_model((3, 7)), lane));
    }
    // Weights that a device stores in 16 bits, padded and not.
    for stored in [Stored::Bf16, Stored::F16] {
        let saved = Lane { modules_to_save: SavedModule::ALL.to_vec(), ..lora(4, 6.0) };
        all.push((format!("language model in {stored:?}"), stored_as(language_model((3, 7)), stored), saved));
        all.push((format!("three layers in {stored:?}"), stored_as(three_layers(), stored), Lane::from(&DORA)));
    }
    all
}

/// Its frozen weights, as a device stores them in so many bits.
pub fn stored_as(task: TaskData, stored: Stored) -> TaskData {
    let kept = |values: &Fixed| Fixed::stored_as(stored.values(&stored.bytes(values)), stored);
    let base = task.base.iter().map(|layer| BaseLayer { weight: kept(&layer.weight), bias: layer.bias.clone() });
    let tensors = task.network.tensors().iter().zip(&task.tensors);
    let tensors = tensors.map(|(shape, values)| {
        if shape.name.ends_with("norm.weight") || shape.name == "rotary" { values.clone() } else { kept(values) }
    });
    TaskData { base: base.collect(), tensors: tensors.collect(), ..task }
}

fn normals(count: usize, scale: f64, rng: &mut Rng) -> Vec<f32> {
    (0..count).map(|_| (scale * rng.normal()) as f32).collect()
}

/// 11 → 7, MSE, 5 sequences of 3 tokens.
pub fn one_layer() -> TaskData {
    one_layer_of(Shape { batch: 5, sequence: 3, inputs: 11, outputs: 7 })
}

/// The same on as many tokens as kernels take in several turns.
pub fn many_tokens() -> TaskData {
    one_layer_of(Shape { batch: 67, sequence: 4, inputs: 21, outputs: 37 })
}

fn one_layer_of(shape: Shape) -> TaskData {
    let mut rng = Rng::new(11, 1);
    let Shape { batch, sequence, inputs, outputs } = shape;
    let mut normals = |count, deviation| normals(count, deviation, &mut rng);
    let (x, y) = (normals(batch * sequence * inputs, 1.0), normals(batch * sequence * outputs, 1.0));
    let (weight, bias) = (normals(inputs * outputs, 0.4), normals(outputs, 0.4));
    custom(shape, x, y, Some(weight), Some(bias)).unwrap()
}

/// 11 → 9 → 13 → 5 with GELU between, cross-entropy, two batches of 5 sequences of 3 tokens.
pub fn three_layers() -> TaskData {
    let mut rng = Rng::new(12, 1);
    let widths = [11, 9, 13, 5];
    let network = Network::stack(&widths);
    let base = network
        .sites()
        .iter()
        .map(|l| BaseLayer {
            weight: normals(l.inputs * l.outputs, 0.5, &mut rng).into(),
            bias: normals(l.outputs, 0.3, &mut rng),
        })
        .collect();
    TaskData {
        network,
        base,
        loss: LossKind::CrossEntropy,
        batches: 2,
        x: normals(30 * 11, 1.0, &mut rng),
        y: Targets::Classes((0..30).map(|_| rng.below(5) as u32).collect()),
        row_domains: vec![0; 30],
        ..one_layer()
    }
}

/// The same beside a teacher's expectations; every fourth row has no class.
pub fn distilled() -> TaskData {
    let task = three_layers();
    let Targets::Classes(mut classes) = task.y else { panic!("classes") };
    classes.iter_mut().step_by(4).for_each(|class| *class = UNCOUNTED);
    let logits = normals(30 * 5, 2.0, &mut Rng::new(16, 1));
    // A higher temperature makes the loss larger, and a finite difference of it less exact.
    let soft = Soft { logits: logits.into(), temperature: 0.75, mix: 0.5 };
    TaskData { y: Targets::Classes(classes), soft: Some(soft), ..three_layers() }
}

/// 11 → 9, GELU, the mean of a sequence's rows, → 5, cross-entropy; every row of a sequence has its sequence's class.
pub fn mean_of_tokens() -> TaskData {
    let mut rng = Rng::new(15, 1);
    let (mut network, x) = Network::new(11);
    let inner = network.linear("layers.0", x, 9);
    let inner = network.gelu(inner);
    let mean = network.mean(inner);
    network.linear("layers.1", mean, 5);
    TaskData {
        base: network
            .sites()
            .iter()
            .map(|l| BaseLayer {
                weight: normals(l.inputs * l.outputs, 0.5, &mut rng).into(),
                bias: normals(l.outputs, 0.3, &mut rng),
            })
            .collect(),
        network,
        y: Targets::Classes((0..30).map(|row| (row / 3 * 7 % 5) as u32).collect()),
        ..three_layers()
    }
}

/// Paths that meet and part, under mean squared error: a value that three nodes read, sums of each other and of the data
/// themselves, a GELU before a sum and one behind it. Names are not numbers; two batches.
pub fn residual() -> TaskData {
    let mut rng = Rng::new(13, 1);
    let (mut network, x) = Network::new(11);
    let up = network.linear("block.up", x, 11);
    let inner = network.gelu(up);
    let mixed = network.linear("block.mix", inner, 11);
    let sum = network.add(inner, mixed);
    let sum = network.gelu(sum);
    let down = network.linear("block.down", sum, 11);
    let both = network.add(down, inner);
    network.add(x, both);
    let base = network
        .sites()
        .iter()
        .map(|site| BaseLayer {
            weight: normals(site.inputs * site.outputs, 0.2, &mut rng).into(),
            bias: normals(site.outputs, 0.2, &mut rng),
        })
        .collect();
    TaskData {
        network,
        base,
        batches: 2,
        x: normals(30 * 11, 0.15, &mut rng),
        y: Targets::Dense(normals(30 * 11, 0.15, &mut rng)),
        row_domains: vec![0; 30],
        ..one_layer()
    }
}

/// The reference language model, on so many passages of so many tokens.
pub fn language_model((batch, sequence): (usize, usize)) -> TaskData {
    let mut rng = Rng::new(14, 1);
    let model = model(&folder("base"), sequence);
    let vocabulary = model.config.vocabulary;
    let mut tokens = || (0..batch * sequence).map(|_| rng.below(vocabulary) as i32).collect::<Vec<_>>();
    given(model, (batch, sequence), &tokens(), &tokens()).unwrap()
}

/// Random values in every tensor, factors that start at zero included, and in what is fixed; zeros in the padding.
pub fn random_params(compiled: &CompiledLane, seed: u64) -> Vec<f32> {
    let mut rng = Rng::new(seed, 2);
    let mut params = vec![0.0; compiled.padded];
    for tensor in compiled.tensors().chain(compiled.frozen_parameters()) {
        // w stands behind a sigmoid a hundred times as steep as usual.
        let scale = if tensor.name.ends_with("gate.mix") { 0.005 } else { 0.5 };
        tensor.scatter(&mut params, &normals(tensor.len(), scale, &mut rng));
    }
    params
}
