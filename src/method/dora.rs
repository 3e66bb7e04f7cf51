//! DoRA (arXiv 2402.09353): `W' = m ∘ (W0 + s B A) / ‖W0 + s B A‖` per output row, m trained, the norm a constant to the
//! gradient. The weight is formed anew in every step, so it runs as a dense change `W' − W0`.

use super::description::{
    Axis, Change, Extras, Layer, Method, Parameter, Products, Reach, Resize, Size, Start, Widths,
};
use super::lora::{ALPHA, RANK, pair, place_factors, resize_factors};
use super::site::{AdapterPasses, LayerSite};
use crate::args::Settings;
use crate::graph::{Arena, Bound, GRADS, NOTHING, PARAMS, Real, Step, Tensor, dims, kernel};
use crate::op::weight_grad::WEIGHT_GRAD;
use crate::op::{pad, weight_grad};

pub static DORA: Method = Method {
    name: "dora",
    title: "DoRA",
    short: "DoRA",
    why: "LoRA for the direction of every row of the weight; their lengths train apart.",
    source: "Liu et al. 2024, arXiv 2402.09353",
    settings: &[RANK, ALPHA],
    scaling,
    parameters,
    record,
    change: |_, _| Change::Dense("delta"),
    // The weight is formed once per step, whatever the tokens, and then applied.
    products: |_, _, _| Products::InTheWeight,
    // Of what the trained lengths add to a rank no bound near the truth is known.
    reach: |_| Reach::Unknown,
    extras: Extras {
        size: Some(Size::RANK),
        resize: Some(Resize {
            allowed: |_| true,
            by_gate: false,
            run: |sizes, tensors| {
                resize_factors(sizes, tensors)?;
                tensors.carry(&["lora_magnitude_vector"])
            },
        }),
        ..Extras::NONE
    },
};

fn scaling(settings: &Settings) -> f64 {
    settings.real("alpha") / settings.whole("rank") as f64
}

/// As LoRA, and lora_magnitude_vector `[O]`, at first the lengths of the frozen weight's rows.
fn parameters(settings: &Settings, widths: Widths) -> Vec<Parameter> {
    let mut all = pair(settings, widths).to_vec();
    all.push(Parameter::trained("lora_magnitude_vector", [Axis::Outputs], Start::Made(|_, layer| lengths(layer))).drawn("m"));
    all
}

/// Length of every row of the frozen weight.
fn lengths(layer: &Layer) -> Vec<f32> {
    let square = |row: &[f32]| row.iter().map(|&w| f64::from(w).powi(2)).sum::<f64>();
    layer.weight.chunks_exact(layer.widths.inputs).map(|row| libm::sqrt(square(row)) as f32).collect()
}

fn record(settings: &Settings, place: &LayerSite, arena: &mut Arena) -> AdapterPasses {
    let rank = settings.whole("rank");
    let begin = arena.params;
    let factors = place_factors(rank, place, arena);
    let (i, o) = (pad(place.inputs), pad(place.outputs));
    let m = arena.param(format!("{}.lora_magnitude_vector", place.name), o, vec![place.outputs], vec![1]);
    let mut buffer = |what: &str| arena.buffer(format!("{}.{what}", place.name), o * i);
    let (delta, v, ddelta, dv) = (buffer("delta"), buffer("v"), buffer("ddelta"), buffer("dv"));
    let dims = Dims {
        inputs: i as u32,
        outputs: o as u32,
        real_outputs: place.outputs as u32,
        rank: rank as u32,
        a: factors.a as u32,
        b: factors.b as u32,
        m: m as u32,
        scale: scaling(settings) as f32,
    };
    let gradient = weight_grad::Dims {
        rows: place.tokens as u32,
        m0: o as u32,
        n0: i as u32,
        left_stride0: o as u32,
        right_stride0: i as u32,
        right_batched0: place.x_batched.into(),
        ..Default::default()
    };
    AdapterPasses {
        forward: vec![DORA_FORWARD.pass(dims, &[("params", PARAMS), ("v", v), ("w0", place.weight), ("delta", delta)])],
        backward: vec![WEIGHT_GRAD.pass(
            gradient,
            &[("left0", place.dy), ("right0", place.x), ("left1", NOTHING), ("right1", NOTHING), ("grads", ddelta)],
        )],
        backward_factors: vec![
            DORA_BACKWARD
                .pass(dims, &[("params", PARAMS), ("v", v), ("d_delta", ddelta), ("dv", dv), ("grads", GRADS)]),
            DORA_DOWN.pass(dims, &[("params", PARAMS), ("dv", dv), ("grads", GRADS)]),
        ],
        updates: Some((begin, arena.params - begin)),
        delta: Some((delta, 0)),
        effective_factors: vec![(
            delta,
            Tensor {
                name: format!("{}.delta", place.name),
                shape: vec![place.outputs, place.inputs],
                offset: 0,
                strides: vec![i, 1],
            },
        )],
        ..Default::default()
    }
}

dims!(
    /// w0, delta, v, dv `[outputs, inputs]`; in params lora_A `[slots, inputs]` from `a` on, lora_B `[slots, outputs]`
    /// from `b` on, the magnitudes `[outputs]` from `m` on.
    Dims {
        inputs: u32,
        outputs: u32,
        real_outputs: u32,
        rank: u32,
        a: u32,
        b: u32,
        m: u32,
        scale: f32,
    }
);

kernel!(
    /// From the factors and the magnitudes to the change of W0.
    pub static DORA_FORWARD: Dims = "dora", "forward";
    bindings: [params: Read, w0: Read, v: Write, delta: Write],
    workgroups: |d, _| d.real_outputs,
    twin: forward,
);
kernel!(
    /// Gradients of magnitudes, of the direction and of lora_B.
    pub static DORA_BACKWARD: Dims = "dora", "backward";
    bindings: [params: Read, d_delta: Read, v: Write, dv: Write, grads: Write],
    workgroups: |d, _| d.real_outputs,
    twin: backward,
);
kernel!(
    /// The gradient of lora_A.
    pub static DORA_DOWN: Dims = "dora", "down_backward";
    bindings: [params: Read, dv: Read, grads: Write],
    workgroups: |d, _| (d.rank * d.inputs).div_ceil(SIZE),
    twin: down_backward,
);

const SIZE: u32 = 64;

impl Dims {
    fn sizes(&self) -> (usize, usize, usize) {
        (self.inputs as usize, self.outputs as usize, self.rank as usize)
    }
}

fn forward<F: Real>(_: &Step, d: &Dims, b: &Bound<F>) {
    let (params, mut v, w0, mut delta) = (b.read("params"), b.write("v"), b.read("w0"), b.write("delta"));
    let ((inputs, outputs, rank), scale) = (d.sizes(), F::of(f64::from(d.scale)));
    for o in 0..d.real_outputs as usize {
        let row = o * inputs..(o + 1) * inputs;
        for i in 0..inputs {
            let at = |k: usize| params[d.b as usize + k * outputs + o] * params[d.a as usize + k * inputs + i];
            v[row.start + i] = w0[row.start + i] + scale * (0..rank).map(at).sum::<F>();
        }
        let share = ratio(params[d.m as usize + o], square(&v[row.clone()]));
        for i in row {
            delta[i] = share * v[i] - w0[i];
        }
    }
}

fn square<F: Real>(row: &[F]) -> F {
    row.iter().map(|&x| x * x).sum()
}

/// Magnitude over length; a row of zeros has no direction.
fn ratio<F: Real>(magnitude: F, square: F) -> F {
    if square == F::zero() { F::zero() } else { magnitude / square.sqrt() }
}

fn backward<F: Real>(_: &Step, d: &Dims, b: &Bound<F>) {
    let (params, v, d_delta, mut dv, mut grads) =
        (b.read("params"), b.read("v"), b.read("d_delta"), b.write("dv"), b.write("grads"));
    let ((inputs, outputs, rank), scale) = (d.sizes(), F::of(f64::from(d.scale)));
    for o in 0..d.real_outputs as usize {
        let row = o * inputs..(o + 1) * inputs;
        let (own, change) = (&v[row.clone()], &d_delta[row.clone()]);
        let square = square(own);
        let along: F = own.iter().zip(change).map(|(&x, &y)| x * y).sum();
        grads[d.m as usize + o] = ratio(along, square);
        let share = ratio(params[d.m as usize + o], square);
        for i in row {
            dv[i] = share * d_delta[i];
        }
        for k in 0..rank {
            let a = &params[d.a as usize + k * inputs..][..inputs];
            let sum: F = change.iter().zip(a).map(|(&x, &y)| x * y).sum();
            grads[d.b as usize + k * outputs + o] = scale * share * sum;
        }
    }
}

fn down_backward<F: Real>(_: &Step, d: &Dims, b: &Bound<F>) {
    let (params, dv, mut grads) = (b.read("params"), b.read("dv"), b.write("grads"));
    let ((inputs, outputs, rank), scale) = (d.sizes(), F::of(f64::from(d.scale)));
    for k in 0..rank {
        for i in 0..inputs {
            let at = |o: usize| params[d.b as usize + k * outputs + o] * dv[o * inputs + i];
            grads[d.a as usize + k * inputs + i] = scale * (0..d.real_outputs as usize).map(at).sum::<F>();
        }
    }
}
