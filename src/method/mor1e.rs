//! MoR1E (arXiv 2404.08985): N rank-1 experts, `y += s Σ gᵢ uᵢ (vᵢ·x)`, s = α, gated by an intuition network: one gate
//! per sequence, from its mean input (pooled), or one per token. The paper's own code gates by prototypes instead
//! (`prototype`), and may share vectors between experts (`modifier::flex`).

use super::description::{
    Axis, Causal, Change, Extras, Method, Parameter, Product, Products, Reach, Reads, Resize, Size, Sizes, Start, Widths,
};
use super::factors::{Factors, Gated, Names, gate_tensor};
use super::gates::{GateSource, Gates, Mixed};
use super::modifier::balance::balance_pass;
use super::modifier::{flex, orthogonality};
use super::prototype;
use super::resize::{Tensors, experts};
use super::site::{AdapterPasses, GateInput, LayerSite};
use crate::args::{Setting, Settings, Shown, limits};
use crate::error::Result;
use crate::lang::marked;
use crate::graph::{Arena, Buffer, GRADS, NOTHING, PARAMS, Pass};
use crate::op::intuition::{self, INTUITION_BACKWARD, INTUITION_FORWARD, INTUITION_SUMS};
use crate::op::running_mean::{self, RUNNING_MEAN_BACKWARD};
use crate::op::weight_grad::{self, WEIGHT_GRAD};
use crate::op::{gate, pad};

pub static MOR1E: Method = Method {
    name: "mor1e",
    title: "MoR1E",
    short: "MoR1E",
    why: "Many experts of rank 1, weighed by a small gate network.",
    source: "MoR1E 2024, arXiv 2404.08985",
    settings: &[
        Setting::whole("experts", limits::EXPERTS, 8).link("n").always().shown(Shown::Slider),
        Setting::real("alpha", limits::ALPHA, 2.0)
            .link("a")
            .explained("alpha", "Strength of the experts: s = α. Changing it restarts the run.")
            .shown(Shown::Row),
        Setting::optional("hidden", limits::HIDDEN)
            .link("h")
            .explained("gate width", "Width of the gate network; left out, an eighth of the inputs, and at least 4.")
            .shown(Shown::Nowhere),
        Setting::choice("gate", &["pooled", "token", "prototype", "running"]).explained(
            "gate",
            "Pooled: one gate per sequence, from its mean. Token: one per token. Prototype: by likeness to the data, and a router. Running: one per token, from the mean of the tokens so far.",
        ),
    ],
    scaling: |settings| settings.real("alpha"),
    parameters,
    record,
    change,
    products,
    reach,
    extras: Extras {
        size: Some(Size {
            key: "experts",
            why: "Number of rank-1 experts. Changes the trained adapter in place; training goes on.",
            furthest: 16,
            // Experts that share vectors come in multiples of those that read.
            multiple_of: |settings| flex::readers(settings).unwrap_or(1),
        }),
        gate: Some(gate_why),
        resize: Some(Resize {
            // Another number of prototypes is another clustering, and shared vectors are not one expert's to keep or drop.
            allowed: |settings| !is_prototype(settings) && flex::readers(settings).is_none(),
            by_gate: true,
            run: resize,
        }),
        mark: |settings| if is_prototype(settings) { " proto" } else { "" },
        refuses,
        reads: |settings| match settings.choice("gate") {
            "token" => Reads::Token,
            "running" => Reads::SoFar,
            _ => Reads::Sequence,
        },
        scripted: |settings| !is_prototype(settings),
        causal: Some(Causal {
            key: "gate",
            reads_ahead: is_per_sequence,
            instead: "running",
            allowed: "\"token\" or \"running\"",
        }),
        ..Extras::NONE
    },
};

fn is_prototype(settings: &Settings) -> bool {
    settings.choice("gate") == "prototype"
}

fn is_per_sequence(settings: &Settings) -> bool {
    matches!(settings.choice("gate"), "pooled" | "prototype")
}

/// Width `H` of the intuition network on a layer of that many inputs.
fn hidden_width(settings: &Settings, inputs: usize) -> usize {
    settings.maybe_whole("hidden").unwrap_or((inputs / 8).max(4))
}

fn gate_why(settings: &Settings) -> &'static str {
    match settings.choice("gate") {
        "pooled" => {
            marked!("One gate per sequence: a small network reads the mean of its tokens, and a softmax makes its outputs sum to 1.")
        }
        "prototype" => {
            marked!("One gate per sequence: intuition, how alike its mean is to prototypes of the data, plus a router. Such gates do not sum to 1 and may be negative.")
        }
        "running" => {
            marked!("One gate per token: a small network reads the mean of the tokens so far, and a softmax makes its outputs sum to 1.")
        }
        _ => marked!("One gate per token: a small network reads the token, and a softmax makes its outputs sum to 1."),
    }
}

/// The prototype gate has no hidden layer. Nor does either balance term mean anything on gates that are not shares: one
/// takes logarithms of what may be negative, the other falls without bound with the gates.
fn refuses(settings: &Settings, key: &str) -> Option<&'static str> {
    match key {
        "hidden" if is_prototype(settings) => Some("nothing with gate \"prototype\""),
        "balance.kind" if is_prototype(settings) => {
            Some("\"none\" with gate \"prototype\", whose gates are not shares of 1")
        }
        _ => None,
    }
}

/// v and u; then w1, b1, ln_weight, ln_bias, w2, b2 of the intuition network and the gate's w and b, or router, mix and
/// prototypes.
fn parameters(settings: &Settings, widths: Widths) -> Vec<Parameter> {
    let n = Axis::Experts(settings.whole("experts"));
    let uniform = |fan_in| Start::Uniform { fan_in };
    let mut all: Vec<Parameter> = match flex::readers(settings) {
        Some(readers) => flex::parameters(readers, settings.whole("experts"), widths).into(),
        None => [
            Parameter::trained("v", [n, Axis::Inputs], uniform(widths.inputs)),
            Parameter::trained("u", [n, Axis::Outputs], Start::Zero),
        ]
        .map(|parameter| parameter.part("experts"))
        .into(),
    };
    if is_prototype(settings) {
        all.extend(prototype::parameters(settings.whole("experts")));
        return all;
    }
    let hidden = hidden_width(settings, widths.inputs);
    let h = Axis::Width(hidden);
    all.extend(
        [
            Parameter::trained("intuition.w1", [h, Axis::Inputs], uniform(widths.inputs)),
            Parameter::trained("intuition.b1", [h], uniform(widths.inputs)),
            Parameter::trained("intuition.ln_weight", [h], Start::One),
            Parameter::trained("intuition.ln_bias", [h], Start::Zero),
            Parameter::trained("intuition.w2", [h, h], uniform(hidden)),
            Parameter::trained("intuition.b2", [h], uniform(hidden)),
            Parameter::trained("gate.w", [n, h], uniform(hidden)),
            Parameter::trained("gate.b", [n], uniform(hidden)),
        ]
        .map(|parameter| parameter.part("gate")),
    );
    all
}

fn change(settings: &Settings, _: Widths) -> Change {
    Change::Product(Product {
        a: "v",
        b: "u",
        experts: settings.whole("experts"),
        rank: 1,
        gated: true,
        shares: !is_prototype(settings),
        readers: flex::readers(settings),
        from_weight: false,
    })
}

/// Of a gate, what one token of a sequence that shares it pays.
fn products(settings: &Settings, Widths { inputs, outputs }: Widths, sequence: usize) -> Products {
    let experts = settings.whole("experts");
    let tokens = if is_per_sequence(settings) { sequence.max(1) } else { 1 };
    let readers = flex::readers(settings);
    let (read, write) = readers.map_or((experts, experts), |readers| (readers, experts / readers));
    let mixing = if readers.is_some() { experts } else { 0 };
    if is_prototype(settings) {
        let prototypes = (experts * inputs).div_ceil(tokens);
        // The router is as large as the prototypes.
        let down = read * inputs + 2 * prototypes;
        return Products::Apart { down, inner: mixing, up: write * outputs, untrained: prototypes };
    }
    let hidden = hidden_width(settings, inputs);
    Products::Apart {
        down: read * inputs + (hidden * inputs).div_ceil(tokens),
        inner: ((hidden + experts) * hidden).div_ceil(tokens) + mixing,
        up: write * outputs,
        untrained: 0,
    }
}

/// Shared vectors write to fewer directions than there are experts, and read from fewer; of the two together no bound near
/// the truth is known.
fn reach(settings: &Settings) -> Reach {
    match flex::readers(settings) {
        Some(_) => Reach::Unknown,
        None => Reach::Routed {
            experts: settings.whole("experts"),
            rank: 1,
            top_k: 0,
            per_sequence: is_per_sequence(settings),
        },
    }
}

fn resize(sizes: &Sizes, tensors: &mut dyn Tensors) -> Result<()> {
    let Widths { inputs, outputs } = sizes.widths;
    let held = experts::RankOneExperts {
        count: sizes.old.whole("experts"),
        inputs,
        outputs,
        hidden: hidden_width(sizes.old, inputs),
        v: tensors.take("v")?,
        u: tensors.take("u")?,
        gate_weight: tensors.take("gate.w")?,
        gate_bias: tensors.take("gate.b")?,
    };
    let usage = tensors.mean_gate().to_vec();
    let (resized, _) = experts::resize(&held, sizes.new.whole("experts"), &usage, tensors.rng())?;
    tensors.put("v", &resized.v)?;
    tensors.put("u", &resized.u)?;
    tensors.put("gate.w", &resized.gate_weight)?;
    tensors.put("gate.b", &resized.gate_bias)?;
    tensors.carry(&[
        "intuition.w1",
        "intuition.b1",
        "intuition.ln_weight",
        "intuition.ln_bias",
        "intuition.w2",
        "intuition.b2",
    ])
}

fn record(settings: &Settings, place: &LayerSite, arena: &mut Arena) -> AdapterPasses {
    let (n, t) = (settings.whole("experts"), place.tokens);
    let scaling = settings.real("alpha");
    let (begin, fixed) = (arena.params, arena.frozen_elements);
    let gate_tokens = if is_per_sequence(settings) { place.sequence } else { 1 };
    let (real_rows, logits) = (place.real_tokens / gate_tokens, pad(n));
    let rows = pad(real_rows);
    let mut buffer = |what: &str, len| arena.buffer(format!("{}.{what}", place.name), len);
    // Padding tokens index the row after the last sequence's.
    let g = buffer("g", pad(t.div_ceil(gate_tokens).max(rows)) * logits);
    let dg = buffer("dg", t * logits);
    let balance = buffer("balance", logits);
    let mut backward = vec![];
    let balance = balance_pass(settings, g, balance, real_rows, place.real_tokens, n, &mut backward);
    let gates = Gates { experts: n, logits, tokens: gate_tokens, rows, real_rows, g, dg, balance };
    let readers = flex::readers(settings);
    let mixed = match readers {
        Some(readers) => flex::record(readers, &gates, scaling, place, arena),
        None => each_its_own(&gates, scaling, place, arena),
    };
    let hidden = hidden_width(settings, place.inputs);
    let source = match settings.choice("gate") {
        "prototype" => prototype::record(&gates, place, arena),
        "running" => running_network(hidden, &gates, place, arena),
        _ => network(hidden, &gates, place, arena),
    };
    let Mixed { factors, gated, dh, .. } = mixed;
    backward.extend(mixed.backward);
    backward.extend(source.backward);
    backward.push(factors.gradients(place, gated, dh));
    backward.extend(source.gradients);
    // A second term in v's gradient: AdamW must wait for both.
    let apart = orthogonality::gradient(readers.unwrap_or(n), &factors, settings);
    let trained = arena.params - begin - (arena.frozen_elements - fixed);
    let updates = apart.is_some().then_some((begin, trained));
    let mut forward = source.forward;
    forward.extend(mixed.forward);
    AdapterPasses {
        backward_factors: apart.into_iter().collect(),
        updates,
        forward,
        backward,
        up: Some(factors.up(gated)),
        down: Some(factors.toward_input(dh)),
        gate_input: Some(GateInput { dq: source.dq, gate_tokens }),
        gate: Some((g, gate_tensor(place, n, gate_tokens))),
        parts: source.parts,
        ..Default::default()
    }
}

/// v `[N,I]` and u `[N,O]`.
fn each_its_own(gates: &Gates, scaling: f64, place: &LayerSite, arena: &mut Arena) -> Mixed {
    let names = Names { a: "v", b: "u", experts: Some(gates.experts), rank: None };
    let factors = Factors::place(&names, 0, place, arena);
    let mut buffer = |what: &str| arena.buffer(format!("{}.{what}", place.name), place.tokens * factors.slots);
    let (down, gated, dh) = (buffer("down"), buffer("gated"), buffer("d_down"));
    let dims = gate::Dims {
        tokens: place.tokens as u32,
        real_tokens: place.real_tokens as u32,
        experts: gates.experts as u32,
        rank: 1,
        slots: factors.slots as u32,
        logits: gates.logits as u32,
        top_k: 0,
        renormalize: 0,
        given: 1,
        gate_tokens: gates.tokens as u32,
        scale: scaling as f32,
        ..Default::default()
    };
    let passed = Gated { down, g: gates.g, gated };
    Mixed {
        factors,
        forward: vec![factors.down_to_gate(place, &dims, &passed)],
        backward: vec![factors.back_from_gate(place, &dims, &passed, gates.balance, dh, gates.dg)],
        gated,
        dh,
    }
}

/// The intuition network's gates.
fn network(hidden: usize, gates: &Gates, place: &LayerSite, arena: &mut Arena) -> GateSource {
    let dims = place_network(hidden, gates, place, arena);
    let mut buffer = |what: &str, len| arena.buffer(format!("{}.{what}", place.name), gates.rows * len);
    let (q, activations) = (buffer("q", dims.inputs as usize), buffer("activations", dims.activations()));
    let (d_activations, dq) = (buffer("d_activations", dims.d_activations()), buffer("dq", dims.inputs as usize));
    let mut gradients =
        vec![INTUITION_SUMS.pass(dims, &[("activations", activations), ("d_activations", d_activations), ("grads", GRADS)])];
    gradients.extend(network_gradients(&dims, q, activations, d_activations));
    GateSource {
        forward: vec![
            INTUITION_FORWARD
                .pass(dims, &[("x", place.x), ("params", PARAMS), ("q", q), ("activations", activations), ("g", gates.g)]),
        ],
        backward: vec![INTUITION_BACKWARD.pass(
            dims,
            &[
                ("params", PARAMS),
                ("activations", activations),
                ("g", gates.g),
                ("dg", gates.dg),
                ("d_activations", d_activations),
                ("dq", dq),
            ],
        )],
        gradients,
        dq,
        parts: None,
    }
}

/// The same, of the mean of the tokens so far.
fn running_network(hidden: usize, gates: &Gates, place: &LayerSite, arena: &mut Arena) -> GateSource {
    let width = pad(place.inputs);
    let mut buffer = |what: &str| arena.buffer(format!("{}.{what}", place.name), place.tokens * width);
    let (mean, dx) = (buffer("running_mean"), buffer("d_running_mean"));
    let [tokens, real_tokens, sequence] = [place.tokens, place.real_tokens, place.sequence].map(|n| n as u32);
    let x_batched = place.x_batched.into();
    let dims = running_mean::Dims { tokens, real_tokens, sequence, width: width as u32, x_batched };
    let mut source = network(hidden, gates, &LayerSite { x: mean, x_batched: false, ..*place }, arena);
    let sums = (place.positions > 0).then(|| arena.buffer(format!("{}.sums", place.name), place.positions * width));
    source.forward.insert(0, running_mean::means(dims, [place.x, mean], sums));
    source.backward.push(RUNNING_MEAN_BACKWARD.pass(dims, &[("d_out", source.dq), ("dx", dx)]));
    GateSource { dq: dx, ..source }
}

/// LayerSite the gate network's parameters.
fn place_network(hidden: usize, gates: &Gates, place: &LayerSite, arena: &mut Arena) -> intuition::Dims {
    let (i, h, n) = (pad(place.inputs), pad(hidden), gates.logits);
    let (real_i, real_h, real_n) = (place.inputs, hidden, gates.experts);
    // (rows, padded rows) and (cols, padded cols); a vector is one row.
    let mut param = |name: &str, (rows, padded): (usize, usize), (cols, stride): (usize, usize)| {
        let (shape, strides) = if padded == 1 { (vec![cols], vec![1]) } else { (vec![rows, cols], vec![stride, 1]) };
        arena.param(format!("{}.{name}", place.name), padded * stride, shape, strides) as u32
    };
    const VECTOR: (usize, usize) = (1, 1);
    let w1 = param("intuition.w1", (real_h, h), (real_i, i));
    let b1 = param("intuition.b1", VECTOR, (real_h, h));
    let ln_weight = param("intuition.ln_weight", VECTOR, (real_h, h));
    let ln_bias = param("intuition.ln_bias", VECTOR, (real_h, h));
    let w2 = param("intuition.w2", (real_h, h), (real_h, h));
    let b2 = param("intuition.b2", VECTOR, (real_h, h));
    let gate_w = param("gate.w", (real_n, n), (real_h, h));
    let gate_b = param("gate.b", VECTOR, (real_n, n));
    intuition::Dims {
        rows: gates.rows as u32,
        real_rows: gates.real_rows as u32,
        gate_tokens: gates.tokens as u32,
        inputs: i as u32,
        hidden: h as u32,
        real_hidden: real_h as u32,
        logits: n as u32,
        experts: real_n as u32,
        x_batched: place.x_batched.into(),
        w1,
        b1,
        ln_weight,
        ln_bias,
        w2,
        b2,
        gate_w,
        gate_b,
        ..Default::default()
    }
}

/// Gradients of the three matrices: dzᵀc and dcᵀn together, then daᵀq.
fn network_gradients(d: &intuition::Dims, q: Buffer, activations: Buffer, d_activations: Buffer) -> [Pass; 2] {
    let (h, logits) = (d.hidden, d.logits);
    let (left, right) = (d.d_activations() as u32, d.activations() as u32);
    let upper = weight_grad::Dims {
        rows: d.rows,
        m0: logits,
        n0: h,
        left_stride0: left,
        left_offset0: 0,
        right_stride0: right,
        right_offset0: 3 * h,
        right_batched0: 0,
        out0: d.gate_w,
        m1: h,
        n1: h,
        left_stride1: left,
        left_offset1: logits,
        right_stride1: right,
        right_offset1: 2 * h,
        right_batched1: 0,
        out1: d.w2,
        ..Default::default()
    };
    let lower = weight_grad::Dims {
        rows: d.rows,
        m0: h,
        n0: d.inputs,
        left_stride0: left,
        left_offset0: logits + 2 * h,
        right_stride0: d.inputs,
        out0: d.w1,
        ..Default::default()
    };
    [
        WEIGHT_GRAD
            .pass(upper, &[("left0", d_activations), ("right0", activations), ("left1", d_activations), ("right1", activations), ("grads", GRADS)]),
        WEIGHT_GRAD
            .pass(lower, &[("left0", d_activations), ("right0", q), ("left1", NOTHING), ("right1", NOTHING), ("grads", GRADS)]),
    ]
}
