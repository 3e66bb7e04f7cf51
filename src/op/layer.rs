//! One adapted linear layer: `y = base + x deltaᵀ + gated B`, and the gradient of its input.
//!
//! The forward pass ends in what the layer is for: its output, or, for the last layer under MSE, the loss and
//! the output's gradient in one go, so that y itself is never written while training.

use ndarray::{ArrayView2, ArrayViewMut2, linalg::general_mat_mul};

use super::{FEW, gelu, mse, times_transposed, view, view_mut};
use crate::graph::{Bound, Form, Real, Step, Target, dims, kernel, wgsl};

dims!(
    /// x `[tokens, inputs]`, w0 and delta `[outputs, inputs]`, gated `[tokens, slots]`, lora_B `[slots, outputs]`,
    /// base `[pool, outputs]` or `[outputs]`, expected `[pool, outputs]`, out `[tokens, outputs]`,
    /// losses: one partial sum per tile from `loss_at` on.
    ForwardDims {
        tokens: u32,
        inputs: u32,
        outputs: u32,
        slots: u32,
        /// 1: x, like `base` when it is cached, is the pool of all batches.
        x_batched: u32,
        /// 1: base rows are cached products of the frozen layer; 0: base is the bias alone and w0 is applied here.
        base_cached: u32,
        /// 1: add `x deltaᵀ` (full fine-tuning).
        dense: u32,
        /// First element of delta, or of lora_B, in `params`.
        offset: u32,
        /// 1: write the MSE gradient and the loss; 0: write y. A cached base is then not read: expected is without it.
        mse: u32,
        /// Tokens and outputs that are not padding.
        real_tokens: u32,
        real_outputs: u32,
        /// First of the tiles' losses in `losses`.
        loss_at: u32,
        /// 2 / (real_tokens · real_outputs).
        grad_scale: f32,
    }
);

kernel!(
    /// The layer's output, or the loss and the output's gradient.
    pub static LAYER_FORWARD: ForwardDims = "layer_forward", "forward";
    bindings: [x: Read, w0: Read, params: Read, gated: Read, base: Read, expected: Read, out: Write, losses: Write],
    workgroups: |d, target| d.tiles().div_ceil(target.workgroup()),
    constants: |d, target| {
        vec![target.size(), ("CACHED", d.base_cached.into()), ("DENSE", d.dense.into()), ("MSE", d.mse.into())]
    },
    form: |d, target| match target {
        Target::Quads if d.thin() => Some(d.quads()),
        Target::Quads if d.base_cached == 0 && d.mse == 0 => d.frozen_quads(),
        _ => None,
    },
    twin: forward,
);

/// The form for quads of rows times a frozen matrix, `depth` deep, and times factors of so many slots, if they are thin.
fn frozen_quads(
    wgsl: (&'static str, &'static str),
    entry: &'static str,
    [rows, depth, columns, slots]: [u32; 4],
) -> Option<Form> {
    let wide = columns.div_ceil(32);
    let few = rows_of_quads(rows);
    // Twice as many, which hold the weight for longer, where workgroups enough for any machine are left.
    let rows_each = if rows.div_ceil(2 * few) * wide >= 16 { 2 * few } else { few };
    // As many blocks of four at a time as the code has room for. A turn costs five more: the results, written and read again.
    let blocks = depth / 4;
    let at_once = (4..=24).step_by(4).min_by_key(|&most| blocks.div_ceil(most) * (most + 5)).unwrap_or(4);
    (slots <= 32).then(|| Form {
        entry,
        quads: Some(wgsl),
        workgroups: rows.div_ceil(rows_each) * wide,
        constants: vec![("BLOCKS", at_once.into()), ("EXTRA", (slots / 4).max(2).into())],
    })
}

/// Rows that a quad takes one after the other, with what it holds of a matrix: many, where there are.
fn rows_of_quads(rows: u32) -> u32 {
    if rows < 256 { 16 } else { 128 }
}

impl ForwardDims {
    /// Tiles of 8 tokens × 8 outputs; each owns one of the partial losses.
    pub fn tiles(&self) -> u32 {
        self.tokens / 8 * (self.outputs / 8)
    }

    /// Whether the form for quads does this, which knows nothing but factors, and thin ones.
    fn thin(&self) -> bool {
        self.base_cached == 1 && self.dense == 0 && (8..=32).contains(&self.slots)
    }

    /// A quad's tiles are 16 outputs of 16 tokens, or of 128 where there are many.
    fn quads(&self) -> Form {
        Form {
            entry: "forward_quads",
            quads: Some(wgsl!("layer_quads")),
            workgroups: self.tokens.div_ceil(rows_of_quads(self.tokens)) * self.outputs.div_ceil(16),
            constants: vec![("MSE", self.mse.into()), ("BLOCKS", (self.slots / 4).into())],
        }
    }

    fn frozen_quads(&self) -> Option<Form> {
        let shape = [self.tokens, self.inputs, self.outputs, self.slots];
        let mut form = frozen_quads(wgsl!("frozen_quads"), "forward_frozen", shape)?;
        form.constants.push(("DENSE", self.dense.into()));
        Some(form)
    }
}

fn forward<F: Real>(step: &Step, d: &ForwardDims, b: &Bound<F>) {
    let (t, i, o, p) = (d.tokens as usize, d.inputs as usize, d.outputs as usize, d.slots as usize);
    let (x, w0, params, gated, base) = (b.read("x"), b.read("w0"), b.read("params"), b.read("gated"), b.read("base"));
    let mut out = b.write("out");
    let one = F::one();
    let row = step.x_row as usize;
    let x_row = if d.x_batched == 1 { row } else { 0 };
    {
        let mut y = view_mut(&mut out, 0, t, o, o);
        if d.base_cached == 1 && d.mse == 1 {
            y.fill(F::zero());
        } else if d.base_cached == 1 {
            y.assign(&view(&base, row * o, t, o, o));
        } else {
            y.assign(&view(&base, 0, t, o, 0));
        }
        let x = view(&x, x_row * i, t, i, i);
        let frozen = (d.base_cached == 0).then(|| view(&w0, 0, o, i, i));
        let delta = (d.dense == 1).then(|| view(&params, d.offset as usize, o, i, i));
        times_weight(&x, frozen, delta, true, &mut y);
        if p > 0 {
            let bt = view(&params, d.offset as usize, p, o, o);
            general_mat_mul(one, &view(&gated, 0, t, p, p), &bt, one, &mut y);
        }
    }
    if d.mse == 1 {
        let end = mse::Dims {
            tokens: d.tokens,
            outputs: d.outputs,
            real_tokens: d.real_tokens,
            real_outputs: d.real_outputs,
            loss_at: d.loss_at,
            grad_scale: d.grad_scale,
        };
        mse::compare(step, &end, &mut out, &b.read("expected"), &mut b.write("losses"));
    }
}

/// Adds the product of `rows` with `frozen + delta` `[outputs, inputs]`, or its transpose, to `out`. Of two weights the sum is
/// made first: one product of many rows costs more than it.
fn times_weight<F: Real>(
    rows: &ArrayView2<'_, F>,
    frozen: Option<ArrayView2<'_, F>>,
    delta: Option<ArrayView2<'_, F>>,
    transposed: bool,
    out: &mut ArrayViewMut2<'_, F>,
) {
    if transposed && rows.nrows() <= FEW {
        for weight in frozen.iter().chain(&delta) {
            times_transposed(F::one(), rows, weight, F::one(), out);
        }
        return;
    }
    let sum = frozen.zip(delta).map(|(frozen, delta)| &frozen + &delta);
    let Some(weight) = sum.as_ref().map(|sum| sum.view()).or(frozen).or(delta) else { return };
    let weight = if transposed { weight.reversed_axes() } else { weight };
    general_mat_mul(F::one(), rows, &weight, F::one(), out);
}

dims!(
    /// dy `[tokens, outputs]`, d_down `[tokens, slots]` with lora_A (and router) `[slots, inputs]`,
    /// dq `[rows, inputs]`, pre `[tokens, inputs]`, dx `[tokens, inputs]`.
    BackwardDims {
        tokens: u32,
        inputs: u32,
        outputs: u32,
        /// Rows of lora_A and the router that d_down belongs to; 0 for none.
        slots: u32,
        /// 1: delta adds to w0.
        dense: u32,
        /// First element of delta or lora_A in `params`.
        offset: u32,
        /// Tokens that share a row of dq (a pooled gate's sequence length); 0: no gate gradient.
        gate_tokens: u32,
        /// 1: multiply by GELU'(pre) of the layer before.
        gelu: u32,
    }
);

kernel!(
    /// The gradient of the layer's input.
    pub static LAYER_BACKWARD: BackwardDims = "layer_backward", "backward";
    bindings: [dy: Read, w0: Read, params: Read, d_down: Read, dq: Read, pre: Read, dx: Write],
    workgroups: |d, target| d.tiles().div_ceil(target.workgroup()),
    constants: |d, target| vec![target.size(), ("DENSE", d.dense.into())],
    form: |d, target| if target == Target::Quads { d.frozen_quads() } else { None },
    twin: backward,
);

impl BackwardDims {
    pub fn tiles(&self) -> u32 {
        self.tokens / 8 * (self.inputs / 8)
    }

    fn frozen_quads(&self) -> Option<Form> {
        let shape = [self.tokens, self.outputs, self.inputs, self.slots];
        let mut form = frozen_quads(wgsl!("frozen_back_quads"), "backward_frozen", shape)?;
        let finish = self.gate_tokens > 0 || self.gelu == 1;
        form.constants.extend([("DENSE", self.dense.into()), ("FINISH", finish.into())]);
        Some(form)
    }
}

fn backward<F: Real>(_: &Step, d: &BackwardDims, b: &Bound<F>) {
    let (t, i, o, p) = (d.tokens as usize, d.inputs as usize, d.outputs as usize, d.slots as usize);
    let (dy, w0, params, d_down, dq, pre) =
        (b.read("dy"), b.read("w0"), b.read("params"), b.read("d_down"), b.read("dq"), b.read("pre"));
    let mut dx = b.write("dx");
    let one = F::one();
    let dy = view(&dy, 0, t, o, o);
    let mut out = view_mut(&mut dx, 0, t, i, i);
    out.fill(F::zero());
    let delta = (d.dense == 1).then(|| view(&params, d.offset as usize, o, i, i));
    times_weight(&dy, Some(view(&w0, 0, o, i, i)), delta, false, &mut out);
    if p > 0 {
        let a = view(&params, d.offset as usize, p, i, i);
        general_mat_mul(one, &view(&d_down, 0, t, p, p), &a, one, &mut out);
    }
    if d.gate_tokens > 0 {
        let s = d.gate_tokens as usize;
        let share = one / F::of(s as f64);
        for (r, mut row) in out.rows_mut().into_iter().enumerate() {
            let from = r / s * i;
            // Rows of padding tokens may lie beyond the last sequence; nothing flows to them.
            let Some(source) = dq.get(from..from + i) else {
                continue;
            };
            row.iter_mut().zip(source).for_each(|(x, &g)| *x += share * g);
        }
    }
    if d.gelu == 1 {
        let mut slopes = pre[..out.len()].to_vec();
        gelu::derivatives(&mut slopes);
        out.iter_mut().zip(slopes).for_each(|(x, slope)| *x = *x * slope);
    }
}
