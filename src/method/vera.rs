//! VeRA (Kopiczko et al. 2023, arXiv 2310.11454): `y += λ_b ∘ B (λ_d ∘ A x)`. A and B are random, frozen, and the same for
//! every layer; only the two vectors train. As in PEFT there is no α: λ_d begins at `d_initial` and λ_b at zero, so that an
//! untrained adapter changes nothing.

use serde_json::json;

use super::description::{
    Axis, Extras, Held, Layer, Method, Opens, Parameter, Peft, Product, Products, Reach, Size, Start, Widths,
};
use super::factors::{Factors, ungated};
use super::lora::RANK;
use super::site::{AdapterPasses, LayerSite};
use crate::args::limits::Real as Range;
use crate::args::{Setting, Settings, Shown};
use crate::graph::{Arena, Bound, GRADS, PARAMS, Real, Step, dims, kernel};
use crate::lang::marked;
use crate::op::pad;
use crate::rng::Rng;

pub static VERA: Method = Method {
    name: "vera",
    title: "VeRA",
    short: "VeRA",
    why: "Random factors, frozen and the same for all layers; only a vector behind each of them trains.",
    source: "Kopiczko et al. 2023, arXiv 2310.11454; PEFT's VeraConfig",
    settings: &[
        RANK,
        Setting::real("d_initial", Range { min: 0.0, max: 10.0, closed: true }, 0.1)
            .link("d")
            .explained("d at first", "What every entry of λ_d begins at. Changing it restarts the run.")
            .shown(Shown::Row),
    ],
    scaling: |_| 1.0,
    parameters,
    record,
    change: |settings, _| Product::plain("lora_A", "lora_B", settings.whole("rank")),
    products: |settings, Widths { inputs, outputs }, _| {
        let rank = settings.whole("rank");
        Products::Apart { down: rank * inputs, inner: 0, up: rank * outputs, untrained: rank * (inputs + outputs) }
    },
    // Of what frozen random factors leave within reach no bound near the truth is known.
    reach: |_| Reach::Unknown,
    extras: Extras {
        // Another rank is another draw, so a trained one cannot be given it.
        size: Some(Size { furthest: 64, ..Size::RANK }),
        peft: Some(Peft {
            kind: "VERA",
            tensors: &[("vera_lambda_d", "vera_lambda_d"), ("vera_lambda_b", "vera_lambda_b")],
            shared: &[("vera_A", "vera_A"), ("vera_B", "vera_B")],
            config: |settings| {
                json!({
                    "r": settings.whole("rank"),
                    "d_initial": settings.real("d_initial"),
                    "projection_prng_key": 0,
                    "save_projection": true,
                    "vera_dropout": 0.0,
                    "bias": "none",
                    "init_weights": true,
                })
            },
            allowed: |_| true,
            opens: Some(Opens {
                factors: opened,
                without_shared: marked!(
                    "PEFT draws them anew from a seed, projection_prng_key, where save_projection is false; save the adapter with save_projection=True"
                ),
            }),
        }),
        ..Extras::NONE
    },
};

/// The stream of random numbers that A and B are drawn from.
const STREAM: u64 = 900;

/// vera_lambda_d `[R]` and vera_lambda_b `[O]`; vera_A `[R,I]` and vera_B `[O,R]`, which nothing trains.
fn parameters(settings: &Settings, _: Widths) -> Vec<Parameter> {
    let rank = Axis::Rank(settings.whole("rank"));
    vec![
        Parameter::trained("vera_lambda_d", [rank], Start::Constant(settings.real("d_initial"))).drawn("λ_d"),
        Parameter::trained("vera_lambda_b", [Axis::Outputs], Start::Zero).drawn("λ_b"),
        Parameter::frozen("vera_A", [rank, Axis::Inputs], Start::Made(draw_a)),
        Parameter::frozen("vera_B", [Axis::Outputs, rank], Start::Made(draw_b)),
    ]
}

/// Uniform in ±√(6 / fan-in), as PEFT draws them. A's columns and B's rows come in their order, so that a narrower layer's
/// are the first of a wider one's; of layers with other inputs the bound is another.
fn draw_a(settings: &Settings, layer: &Layer) -> Vec<f32> {
    let (rank, inputs) = (settings.whole("rank"), layer.widths.inputs);
    let drawn = uniform(layer.seed, STREAM, inputs, inputs * rank);
    (0..rank * inputs).map(|at| drawn[at % inputs * rank + at / inputs]).collect()
}

fn draw_b(settings: &Settings, layer: &Layer) -> Vec<f32> {
    let rank = settings.whole("rank");
    uniform(layer.seed, STREAM + 1, rank, layer.widths.outputs * rank)
}

fn uniform(seed: u64, stream: u64, fan_in: usize, count: usize) -> Vec<f32> {
    let bound = (6.0 / fan_in as f64).sqrt();
    let mut rng = Rng::new(seed, stream);
    (0..count).map(|_| rng.uniform(-bound, bound) as f32).collect()
}

/// `λ_d ∘ A` and `λ_b ∘ B`: what a LoRA of scaling 1 would have as its factors.
fn opened(held: &Held) -> (Vec<f32>, Vec<f32>) {
    let rows = |matrix: &str, vector: &str, width: usize| {
        let rows = held.get(matrix).chunks_exact(width.max(1)).zip(held.get(vector));
        rows.flat_map(|(row, &scale)| row.iter().map(move |&v| scale * v)).collect()
    };
    (rows("vera_A", "vera_lambda_d", held.widths.inputs), rows("vera_B", "vera_lambda_b", held.rank))
}

fn record(settings: &Settings, place: &LayerSite, arena: &mut Arena) -> AdapterPasses {
    let rank = settings.whole("rank");
    let (slots, inputs, outputs) = (pad(rank), pad(place.inputs), pad(place.outputs));
    let name = |what: &str| format!("{}.{what}", place.name);
    // What trains comes first, for AdamW takes a range.
    let begin = arena.params;
    let d = arena.param(name("vera_lambda_d"), slots, vec![rank], vec![1]);
    let b = arena.param(name("vera_lambda_b"), outputs, vec![place.outputs], vec![1]);
    let trained = arena.params - begin;
    let down = arena.frozen_param(name("vera_A"), slots * inputs, vec![rank, place.inputs], vec![inputs, 1]);
    let up = arena.frozen_param(name("vera_B"), slots * outputs, vec![place.outputs, rank], vec![1, outputs]);
    let mut buffer = |what: &str| arena.buffer(name(what), slots * (inputs + outputs));
    let (at, grads) = (buffer("factors"), buffer("d_factors"));
    let factors = Factors {
        at,
        a: 0,
        b: slots * inputs,
        grads,
        grad_a: 0,
        grad_b: slots * inputs,
        extra_rate: 0.0,
        slots,
        down_rows: slots,
        inputs,
        outputs,
    };
    let dims = Dims {
        slots: slots as u32,
        inputs: inputs as u32,
        outputs: outputs as u32,
        lambda_d: d as u32,
        lambda_b: b as u32,
        down: down as u32,
        up: up as u32,
    };
    let first = VERA_FORWARD.pass(dims, &[("params", PARAMS), ("factors", at)]);
    AdapterPasses {
        backward_factors: vec![
            VERA_BACKWARD.pass(dims, &[("params", PARAMS), ("d_factors", grads), ("grads", GRADS)]),
        ],
        updates: Some((begin, trained)),
        effective_factors: factors.tensors((1, rank), place),
        ..ungated(&factors, 1.0, vec![first], place, arena)
    }
}

dims!(
    /// factors and their gradients, d_factors: λ_d ∘ A `[slots, inputs]`, then (λ_b ∘ B)ᵀ `[slots, outputs]`; in params and
    /// grads λ_d `[slots]`, λ_b `[outputs]`, A `[slots, inputs]` and Bᵀ `[slots, outputs]`, from these places on.
    Dims {
        /// Padded rank.
        slots: u32,
        inputs: u32,
        outputs: u32,
        lambda_d: u32,
        lambda_b: u32,
        down: u32,
        up: u32,
    }
);

kernel!(
    /// From the vectors and the frozen matrices to the factors that the layer reads.
    pub static VERA_FORWARD: Dims = "vera", "forward";
    bindings: [params: Read, factors: Write],
    workgroups: |d, _| (d.slots * (d.inputs + d.outputs)).div_ceil(64),
    twin: forward,
);
kernel!(
    /// From the factors' gradients to those of the vectors.
    pub static VERA_BACKWARD: Dims = "vera", "backward";
    bindings: [params: Read, d_factors: Read, grads: Write],
    workgroups: |d, _| (d.slots + d.outputs).div_ceil(64),
    twin: backward,
);

impl Dims {
    fn sizes(&self) -> [usize; 3] {
        [self.slots, self.inputs, self.outputs].map(|size| size as usize)
    }
}

fn forward<F: Real>(_: &Step, d: &Dims, b: &Bound<F>) {
    let (params, mut factors) = (b.read("params"), b.write("factors"));
    let [slots, inputs, outputs] = d.sizes();
    for k in 0..slots {
        let scale = params[d.lambda_d as usize + k];
        for i in 0..inputs {
            factors[k * inputs + i] = scale * params[d.down as usize + k * inputs + i];
        }
        for o in 0..outputs {
            let scale = params[d.lambda_b as usize + o];
            factors[slots * inputs + k * outputs + o] = scale * params[d.up as usize + k * outputs + o];
        }
    }
}

fn backward<F: Real>(_: &Step, d: &Dims, b: &Bound<F>) {
    let (params, d_factors, mut grads) = (b.read("params"), b.read("d_factors"), b.write("grads"));
    let [slots, inputs, outputs] = d.sizes();
    for k in 0..slots {
        let row = |from: usize| from + k * inputs..from + (k + 1) * inputs;
        let products = d_factors[row(0)].iter().zip(&params[row(d.down as usize)]).map(|(&g, &a)| g * a);
        grads[d.lambda_d as usize + k] = products.sum();
    }
    for o in 0..outputs {
        let product = |k: usize| {
            d_factors[slots * inputs + k * outputs + o] * params[d.up as usize + k * outputs + o]
        };
        grads[d.lambda_b as usize + o] = (0..slots).map(product).sum();
    }
}
