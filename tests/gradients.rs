//! Gradients in f64 against central finite differences: every method and variant, on one layer and on three, on all
//! layers and on some. The balance term is part of what is differentiated, computed here from the gates.
#![cfg(not(target_arch = "wasm32"))]

mod common;

use common::lanes::{
    distilled, language_model, lora, mean_of_tokens, molora, one_layer, random_params, residual, three_layers, variants,
};
use lora_playground::config::{Lane, Named, Optimizer, SavedModule};
use lora_playground::exec::Recording;
use lora_playground::exec::Schedules;
use lora_playground::exec::cpu::Cpu;
use lora_playground::graph::{Buffer, GRADS, LOSSES, MOMENTS, PARAMS, Step, Tensor};
use lora_playground::method::modifier::quantised;
use lora_playground::method::{DORA, FULL};
use lora_playground::net::{LOSS_SLOTS, compile, share};
use lora_playground::op::adamw::LOSS_PARTS;
use lora_playground::optim;
use lora_playground::task::{LossKind, TaskData};
use ndarray::{Array2, Axis};

const STEP: f64 = 1e-5;
/// Truncation is of order STEP² and rounding of order 1e-16 / STEP; what remains is that the kernels' scale factors
/// (1 / elements, α/√R) are rounded to f32, 6e-8 relative.
const RELATIVE: f64 = 1e-6;
const ABSOLUTE: f64 = 1e-9;
/// AdaLoRA's coefficient of its orthogonality term, in f32 as the kernels have it.
const ORTHOGONAL: f32 = 0.1;

struct Bench<'a> {
    cpu: Cpu<f64>,
    lane: &'a Lane,
    /// 1 / the number of elements the loss is a mean over.
    scale: f64,
    step: Step,
    /// Per adapted layer with a gate, the share of tokens of each top expert; it carries no gradient.
    shares: Vec<Vec<f64>>,
}

impl<'a> Bench<'a> {
    fn new(task: &TaskData, lane: &'a Lane) -> Self {
        let compiled = compile(task, lane, &Optimizer::default());
        let params = random_params(&compiled, 5);
        let shared = share(task);
        let step = Step { x_row: shared.batch_row(task.batches - 1) as u32, ..Default::default() };
        let mut cpu = Cpu::<f64>::new(shared);
        cpu.set_lane(0, compiled, &params);
        let elements = match task.loss {
            LossKind::Mse => task.batch_rows() * task.network.outputs(),
            LossKind::CrossEntropy => task.batch_rows(),
        };
        let scale = 1.0 / elements as f64;
        let mut bench = Self { cpu, lane, scale, step, shares: vec![] };
        bench.run();
        bench.shares = bench.gates().iter().map(|gates| top_shares(gates)).collect();
        bench
    }

    fn run(&self) {
        self.cpu.run(0, Recording::Gradients, self.step);
    }

    /// By layer, then by token.
    fn gates(&self) -> Vec<Vec<Vec<f64>>> {
        let of = |(_, buffer, tensor): (usize, Buffer, &Tensor)| {
            let values = tensor.gather(&self.cpu.values(0, buffer));
            values.chunks_exact(tensor.shape[2]).map(<[f64]>::to_vec).collect()
        };
        self.cpu.compiled(0).gates().map(of).collect()
    }

    /// Which gates are open: a finite difference across a change of routing would mean nothing.
    fn routing(&self) -> Vec<bool> {
        self.gates().iter().flatten().flatten().map(|&g| g != 0.0).collect()
    }

    fn parameter(&self, suffix: &str) -> Vec<Array2<f64>> {
        let params = self.cpu.values(0, PARAMS);
        let own = self.cpu.compiled(0).tensors().filter(|t| t.name.ends_with(suffix));
        own.map(|t| Array2::from_shape_vec((t.shape[0], t.shape[1]), t.gather(&params)).unwrap()).collect()
    }

    /// AdaLoRA's `‖PᵀP − I‖² + ‖QQᵀ − I‖²`, and the squared cosines between what rank-1 experts read, weighed.
    fn orthogonality(&self) -> f64 {
        let off = |gram: Array2<f64>| (&gram - &Array2::<f64>::eye(gram.nrows())).mapv(|v| v * v).sum();
        let p: f64 = self.parameter("lora_P").iter().map(|p| off(p.t().dot(p))).sum();
        let q: f64 = self.parameter("lora_Q").iter().map(|q| off(q.dot(&q.t()))).sum();
        let cosines = |v: &Array2<f64>| {
            let norms = v.mapv(|x| x * x).sum_axis(Axis(1)).mapv(f64::sqrt).insert_axis(Axis(1));
            let unit = v / &norms;
            // Off the diagonal every pair stands twice.
            off(unit.dot(&unit.t())) / 2.0
        };
        let coefficient = self.lane.settings.number("orthogonality").unwrap_or(0.0);
        let apart =
            if coefficient == 0.0 { 0.0 } else { coefficient * self.parameter(".v").iter().map(cosines).sum::<f64>() };
        f64::from(ORTHOGONAL) * (p + q) + apart
    }

    /// The loss with the balance term, at the current parameters.
    fn objective(&self) -> f64 {
        self.run();
        let losses = self.cpu.values(0, LOSSES);
        let loss = losses[LOSS_SLOTS * LOSS_PARTS..].iter().sum::<f64>() * self.scale;
        drop(losses);
        let term = |(gates, shares): (&Vec<Vec<f64>>, &Vec<f64>)| balance_term(self.lane, gates, shares);
        loss + self.orthogonality() + self.gates().iter().zip(&self.shares).map(term).sum::<f64>()
    }
}

/// Lanes whose gradient is that of what they compute. The others' is not, by definition: signs let it pass straight
/// through, and DoRA holds a norm constant.
fn differentiable() -> Vec<(&'static str, Lane)> {
    let plain = |(_, lane): &(&str, Lane)| !quantised::is_on(&lane.settings) && !std::ptr::eq(lane.method, &DORA);
    variants().into_iter().filter(plain).collect()
}

/// Share of tokens whose largest gate is each expert's.
fn top_shares(gates: &[Vec<f64>]) -> Vec<f64> {
    let mut shares = vec![0.0; gates[0].len()];
    for gate in gates {
        let top = (0..gate.len()).fold(0, |best, i| if gate[i] > gate[best] { i } else { best });
        shares[top] += 1.0 / gates.len() as f64;
    }
    shares
}

/// Of a lane with gates.
fn balance_term(lane: &Lane, gates: &[Vec<f64>], shares: &[f64]) -> f64 {
    let n = gates[0].len();
    let mean = |i: usize| gates.iter().map(|g| g[i]).sum::<f64>() / gates.len() as f64;
    lane.settings.real("balance.coefficient")
        * match lane.settings.choice("balance.kind") {
            "none" => 0.0,
            "entropy" => (0..n).map(|i| mean(i) * (mean(i) + 1e-12).ln()).sum(),
            "switch" => n as f64 * (0..n).map(|i| shares[i] * mean(i)).sum::<f64>(),
            other => panic!("{other} is not differentiated here"),
        }
}

fn check(what: &str, task: &TaskData, lane: &Lane) {
    let bench = Bench::new(task, lane);
    bench.run();
    let grads = bench.cpu.values(0, GRADS).clone();
    let routing = bench.routing();
    let mut largest: f64 = 0.0;
    for tensor in bench.cpu.compiled(0).tensors() {
        for (i, at) in tensor.positions().enumerate() {
            let value = bench.cpu.values(0, PARAMS)[at];
            // w is read times 100, so a step of it is a hundredth.
            let by = if tensor.name.ends_with("gate.mix") { STEP / 100.0 } else { STEP };
            let moved = |to: f64| {
                bench.cpu.values(0, PARAMS)[at] = to;
                let objective = bench.objective();
                assert_eq!(bench.routing(), routing, "{what}: {}[{i}] is at a tie of the routing", tensor.name);
                objective
            };
            let expected = (moved(value + by) - moved(value - by)) / (2.0 * by);
            bench.cpu.values(0, PARAMS)[at] = value;
            let off = (grads[at] - expected).abs();
            assert!(
                off <= ABSOLUTE + RELATIVE * expected.abs(),
                "{what}: ∂{}[{i}] is {} instead of {expected}, off by {off:e}",
                tensor.name,
                grads[at]
            );
            largest = largest.max(expected.abs());
        }
    }
    assert!(largest > 1e-3, "{what}: every gradient is about zero, which shows nothing");
}

#[test]
fn one_layer_with_mean_squared_error() {
    for (name, lane) in differentiable() {
        check(name, &one_layer(), &lane);
    }
}

/// What a language model's lane trains whole, through the blocks: every entry of a row that a token names, or of all.
#[test]
fn embedding_and_head() {
    for modules in [vec![SavedModule::Embedding], vec![SavedModule::Head], SavedModule::ALL.to_vec()] {
        let lane = Lane { modules_to_save: modules, layers: Some(vec![1]), ..lora(2, 2.0) };
        check(&format!("{lane:?}"), &language_model((1, 5)), &lane);
    }
}

#[test]
fn three_layers_with_cross_entropy() {
    for (name, lane) in differentiable() {
        check(name, &three_layers(), &lane);
    }
}

/// Against classes and a teacher's expectations, where some rows have no class. Only the loss is another than above, so that a dense
/// lane and two of low rank will do.
#[test]
fn three_layers_with_a_teacher() {
    for lane in [Lane::from(&FULL), lora(4, 6.0), molora(5, 2, 3.0)] {
        check(&format!("{lane:?}"), &distilled(), &lane);
    }
}

#[test]
fn adapters_on_some_layers() {
    for (name, lane) in differentiable() {
        for layers in [vec![0], vec![1], vec![2], vec![0, 2]] {
            let what = format!("{name} on {layers:?}");
            check(&what, &three_layers(), &lane.clone().on(layers));
        }
    }
}

/// What comes back on several paths is added, whatever is adapted on which of them.
#[test]
fn paths_that_meet() {
    for (name, lane) in differentiable() {
        for layers in [None, Some(vec![0]), Some(vec![1]), Some(vec![0, 2])] {
            let what = format!("{name} on {layers:?} of a network with residual paths");
            check(&what, &residual(), &Lane { layers, ..lane.clone() });
        }
    }
}

/// What comes back to a token is the mean of what comes back to its sequence.
#[test]
fn a_mean_of_tokens() {
    for (name, lane) in differentiable() {
        for layers in [None, Some(vec![0])] {
            check(&format!("{name} on {layers:?} before a mean"), &mean_of_tokens(), &Lane { layers, ..lane.clone() });
        }
    }
}

/// Kernels work on whole tiles; what lies between the real values must stay zero, or it would leak into them.
#[test]
fn padding_stays_zero() {
    for (name, lane) in variants() {
        for task in [one_layer(), three_layers(), residual(), mean_of_tokens()] {
            let optimizer = Optimizer { weight_decay: 0.1, ..Default::default() };
            let compiled = compile(&task, &lane, &optimizer);
            let params = random_params(&compiled, 6);
            let shared = share(&task);
            let schedule = lora_playground::config::Schedule { warmup: 0, total: 20 };
            let steps: Vec<Step> =
                (0..10).map(|t| optim::step(&optimizer, &schedule, t, shared.batch_row(t), t)).collect();
            let mut real = vec![false; compiled.padded];
            let fixed: Vec<usize> = compiled.frozen_parameters().flat_map(|t| t.positions()).collect();
            compiled.tensors().for_each(|t| t.positions().for_each(|at| real[at] = true));
            let mut cpu = Cpu::<f32>::new(shared);
            cpu.set_lane(0, compiled, &params);
            cpu.train(&[0], &Schedules::one(steps, 1));
            assert_ne!(cpu.read(0, PARAMS), params, "{name}: nothing was trained");
            for (what, buffer) in [("params", PARAMS), ("grads", GRADS), ("moments", MOMENTS)] {
                for (at, (value, real)) in cpu.read(0, buffer).iter().zip(real.iter().cycle()).enumerate() {
                    let kept = buffer == PARAMS && fixed.contains(&at);
                    assert!(*real || kept || *value == 0.0, "{name}: {what}[{at}] is padding, and {value}");
                    assert!(!kept || *value == params[at], "{name}: {what}[{at}] is fixed, and was trained");
                }
            }
        }
    }
}

/// All gradients of a lane whose parameters of these names are set.
fn gradients_at(task: &TaskData, lane: &Lane, values: &[(String, Vec<f64>)]) -> Vec<(String, Vec<f64>)> {
    let bench = Bench::new(task, lane);
    let tensors = bench.cpu.compiled(0).tensors().cloned().collect::<Vec<_>>();
    for tensor in &tensors {
        if let Some((_, own)) = values.iter().find(|(name, _)| *name == tensor.name) {
            tensor.scatter(&mut bench.cpu.values(0, PARAMS), own);
        }
    }
    bench.run();
    let grads = bench.cpu.values(0, GRADS);
    tensors.iter().map(|t| (t.name.clone(), t.gather(&grads))).collect()
}

/// What a lane's layers read in its last run, by name.
fn effective_factors(bench: &Bench) -> Vec<(String, Vec<f64>)> {
    let of = |(buffer, tensor): &(Buffer, Tensor)| (tensor.name.clone(), tensor.gather(&bench.cpu.values(0, *buffer)));
    bench.cpu.compiled(0).sites.iter().flat_map(|site| &site.effective_factors).map(of).collect()
}

fn assert_same(what: &str, got: &[f64], expected: &[f64], relative: f64) {
    let largest = expected.iter().fold(0.0f64, |m, v| m.max(v.abs()));
    assert!(largest > 1e-4, "{what}: nothing to compare");
    for (i, (g, e)) in got.iter().zip(expected).enumerate() {
        assert!((g - e).abs() <= relative * largest, "{what}[{i}] is {g} instead of {e}");
    }
}

/// Signs have no slope: the gradient is that of a full-precision lane whose factors are the quantised ones. And these are
/// what BitNet's formulas make of the weights.
#[test]
fn signs_let_the_gradient_through() {
    let quantised: Vec<_> = variants().into_iter().filter(|(_, lane)| quantised::is_on(&lane.settings)).collect();
    assert!(quantised.len() >= 3);
    for (name, lane) in quantised {
        for task in [one_layer(), three_layers()] {
            let bench = Bench::new(&task, &lane);
            let mut values = effective_factors(&bench);
            let params = bench.cpu.values(0, PARAMS).clone();
            for tensor in bench.cpu.compiled(0).tensors().cloned().collect::<Vec<_>>() {
                let latent = tensor.gather(&params);
                let Some((_, low)) = values.iter().find(|(name, _)| *name == tensor.name) else {
                    // The router is as it is.
                    values.push((tensor.name.clone(), latent));
                    continue;
                };
                let experts = if tensor.shape.len() == 3 { tensor.shape[0] } else { 1 };
                for (low, own) in low.chunks(low.len() / experts).zip(latent.chunks(latent.len() / experts)) {
                    let mean = own.iter().sum::<f64>() / own.len() as f64;
                    let scale = own.iter().map(|w| w.abs()).sum::<f64>() / own.len() as f64;
                    for (low, w) in low.iter().zip(own) {
                        let expected = match lane.settings.choice("weights") {
                            "ternary" => scale * (w / scale).round_ties_even().clamp(-1.0, 1.0),
                            _ => scale * (w - mean).signum(),
                        };
                        assert!((low - expected).abs() < 1e-12, "{name}: {low} instead of {expected}");
                    }
                }
            }
            let plain = lane.clone().with("weights", "float");
            for ((what, got), (_, expected)) in
                gradients_at(&task, &lane, &[]).iter().zip(gradients_at(&task, &plain, &values))
            {
                assert_same(&format!("{name}: {what}"), got, &expected, 1e-12);
            }
        }
    }
}

/// DoRA's formulas, from a dense lane's gradient at the same change of weight: with c the constant norm,
/// `∂m = Σ ∂ΔW V / c`, `∂V = m/c ∂ΔW`, `∂B = s ∂V Aᵀ`, `∂A = s Bᵀ ∂V`.
#[test]
fn dora_holds_its_norm_constant() {
    let lane = Lane::from(&DORA).with("rank", 3).with("alpha", 6.0);
    for task in [one_layer(), three_layers()] {
        let bench = Bench::new(&task, &lane);
        let dense = gradients_at(&task, &(&FULL).into(), &effective_factors(&bench));
        let own = gradients_at(&task, &lane, &[]);
        let find = |name: String| own.iter().find(|(n, _)| *n == name).unwrap().1.clone();
        let tensors = bench.cpu.compiled(0).tensors().cloned().collect::<Vec<_>>();
        let params = bench.cpu.values(0, PARAMS).clone();
        for (l, layer) in task.network.sites().iter().enumerate() {
            let get = |name: &str| {
                let tensor = tensors.iter().find(|t| t.name == format!("layers.{l}.{name}")).unwrap();
                tensor.gather(&params)
            };
            let matrix = |rows, cols, values: Vec<f64>| Array2::from_shape_vec((rows, cols), values).unwrap();
            let (i, o) = (layer.inputs, layer.outputs);
            let (a, b) = (matrix(3, i, get("lora_A")), matrix(o, 3, get("lora_B")));
            let m = matrix(o, 1, get("lora_magnitude_vector"));
            let w0 = matrix(o, i, task.base[l].weight.iter().map(|&w| f64::from(w)).collect());
            let v = w0 + 2.0 * b.dot(&a);
            let c = v.mapv(|x| x * x).sum_axis(Axis(1)).mapv(f64::sqrt).insert_axis(Axis(1));
            let d = matrix(o, i, dense[l].1.clone());
            let dv = &d * &m / &c;
            for (name, expected) in [
                ("lora_magnitude_vector", ((&d * &v).sum_axis(Axis(1)).insert_axis(Axis(1)) / &c)),
                ("lora_B", 2.0 * dv.dot(&a.t())),
                ("lora_A", 2.0 * b.t().dot(&dv)),
            ] {
                let expected: Vec<f64> = expected.iter().copied().collect();
                assert_same(name, &find(format!("layers.{l}.{name}")), &expected, 1e-9);
            }
        }
    }
}
