//! Every method and variant, and networks of awkward sizes to try them on: nothing is a multiple of the kernels'
//! padding.

use lora_playground::config::{Balance, BalanceKind, Form, Gate, Init, Lane, Method, Options, Weights};
use lora_playground::net::CompiledLane;
use lora_playground::rng::Rng;
use lora_playground::task::custom::{Shape, custom};
use lora_playground::task::{BaseLayer, LossKind, Network, Targets, TaskData};

pub fn balance(kind: BalanceKind) -> Balance {
    // A coefficient that f32 holds exactly, large enough to matter.
    Balance { kind, coefficient: if kind == BalanceKind::None { 0.0 } else { 0.5 } }
}

pub fn lora(rank: usize, alpha: f64) -> Method {
    Method::Lora { rank, alpha, rslora: false }
}

/// Soft routing.
pub fn molora(experts: usize, rank: usize, alpha: f64) -> Method {
    Method::Molora { experts, rank, alpha, top_k: 0, renormalize: false, balance: Balance::default() }
}

pub fn mor1e(experts: usize, alpha: f64, gate: Gate) -> Method {
    Method::Mor1e { experts, alpha, gate, hidden: None, balance: Balance::default(), flex: None }
}

/// Every method and variant with its name. Scalings are exact in f32 but for rsLoRA's.
pub fn variants() -> Vec<(&'static str, Lane)> {
    use BalanceKind::{Entropy, None, Switch};
    let routed = |top_k, renormalize, kind| Method::Molora {
        experts: 5,
        rank: 2,
        alpha: 3.0,
        top_k,
        renormalize,
        balance: balance(kind),
    };
    let intuition = |gate, kind| Method::Mor1e {
        experts: 5,
        alpha: 1.5,
        gate,
        hidden: Some(6),
        balance: balance(kind),
        flex: Option::None,
    };
    // Gates by prototypes are several times as large as shares of 1; at a smaller scaling three layers of them bend as
    // little over a finite difference as the others do.
    let other = |gate, flex, kind| Method::Mor1e {
        experts: 6,
        alpha: if gate == Gate::Prototype { 0.375 } else { 1.5 },
        gate,
        hidden: (gate != Gate::Prototype).then_some(6),
        balance: balance(kind),
        flex,
    };
    let form = |form, rank, alpha| Method::Variant { form, rank, alpha };
    let mut all: Vec<(&'static str, Lane)> = [
        ("full", Method::Full),
        ("lora", lora(4, 6.0)),
        ("lora of rank 11", lora(11, 22.0)),
        ("rslora", Method::Lora { rank: 3, alpha: 2.0, rslora: true }),
        ("molora", routed(0, false, None)),
        ("molora of 9 experts", molora(9, 3, 6.0)),
        ("molora top 2", routed(2, false, None)),
        ("molora top 2 renormalised", routed(2, true, None)),
        ("molora with entropy", routed(0, false, Entropy)),
        ("molora with switch", routed(0, false, Switch)),
        ("molora top 2 with switch", routed(2, false, Switch)),
        ("molora top 3 renormalised with entropy", routed(3, true, Entropy)),
        ("mor1e pooled", intuition(Gate::Pooled, None)),
        ("mor1e token", intuition(Gate::Token, None)),
        ("mor1e pooled with entropy", intuition(Gate::Pooled, Entropy)),
        ("mor1e pooled with switch", intuition(Gate::Pooled, Switch)),
        ("mor1e token with entropy", intuition(Gate::Token, Entropy)),
        ("mor1e token with switch", intuition(Gate::Token, Switch)),
        ("mor1e prototype", other(Gate::Prototype, Option::None, None)),
        ("mor1e prototype flex 3", other(Gate::Prototype, Some(3), None)),
        ("mor1e token flex 2 with entropy", other(Gate::Token, Some(2), Entropy)),
        ("mor1e pooled flex 6 with switch", other(Gate::Pooled, Some(6), Switch)),
        ("dora", form(Form::Dora, 3, 6.0)),
        ("mora", form(Form::Mora, 2, 1.0)),
        ("adalora", form(Form::Adalora, 4, 6.0)),
        ("dylora", form(Form::Dylora, 5, 10.0)),
    ]
    .map(|(name, method): (_, Method)| (name, method.into()))
    .to_vec();
    let with = |method: Method, options: Options| Lane { options, ..method.into() };
    let usual = Options::default;
    all.extend([
        ("lora+", with(lora(4, 6.0), Options { lr_ratio: 8.0, ..usual() })),
        ("pissa", with(lora(3, 6.0), Options { init: Init::Pissa, ..usual() })),
        ("binary lora", with(lora(3, 6.0), Options { weights: Weights::Binary, ..usual() })),
        ("ternary molora", with(molora(3, 2, 4.0), Options { weights: Weights::Ternary, ..usual() })),
        ("binary molora top 2", with(routed(2, true, Switch), Options { weights: Weights::Binary, ..usual() })),
        ("molora+, warm", with(routed(0, false, None), Options { lr_ratio: 4.0, temperature: 2.0, ..usual() })),
        ("noisy molora top 2", with(routed(2, false, Entropy), Options { noise: 0.5, temperature: 0.5, ..usual() })),
        (
            "orthogonal prototypes",
            with(other(Gate::Prototype, Option::None, None), Options { orthogonality: 0.5, ..usual() }),
        ),
        ("orthogonal flex", with(other(Gate::Prototype, Some(3), None), Options { orthogonality: 0.5, ..usual() })),
        ("orthogonal mor1e", with(intuition(Gate::Token, Entropy), Options { orthogonality: 0.5, ..usual() })),
    ]);
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
    for method in [lora(8, 4.0), molora(2, 6, 3.0), molora(4, 6, 3.0), molora(4, 8, 4.0), molora(6, 8, 4.0)] {
        all.push((format!("many tokens, {method:?}"), many_tokens(), method.into()));
    }
    for method in [Method::Full, lora(4, 6.0), mor1e(5, 1.5, Gate::Pooled)] {
        all.push((format!("residual paths, {method:?}"), residual(), method.into()));
    }
    all
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
            weight: normals(l.inputs * l.outputs, 0.5, &mut rng),
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
            weight: normals(site.inputs * site.outputs, 0.2, &mut rng),
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
