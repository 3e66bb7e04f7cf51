//! Gradients in f64 against central finite differences: every method and variant, on one layer and on three, on all
//! layers and on some. The balance term is part of what is differentiated, computed here from the gates.
#![cfg(not(target_arch = "wasm32"))]

mod common;

use common::lanes::{one_layer, random_params, three_layers, variants};
use lora_playground::config::{Balance, BalanceKind, Lane, Method, Optimizer};
use lora_playground::exec::Recording;
use lora_playground::exec::cpu::Cpu;
use lora_playground::kernel::Step;
use lora_playground::kernel::adamw::LOSS_PARTS;
use lora_playground::kernel::recording::{Buffer, GRADS, LOSSES, MOMENTS, PARAMS};
use lora_playground::model::{LOSS_SLOTS, compile, share};
use lora_playground::optim;
use lora_playground::task::{LossKind, TaskData};

const STEP: f64 = 1e-5;
/// Truncation is of order STEP² and rounding of order 1e-16 / STEP; what remains is that the kernels' scale factors
/// (1 / elements, α/√R) are rounded to f32, 6e-8 relative.
const RELATIVE: f64 = 1e-6;
const ABSOLUTE: f64 = 1e-9;

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
        let program = compile(task, lane, &Optimizer::default());
        let params = random_params(&program, 5);
        let shared = share(task);
        let step = Step { x_row: shared.batch_row(task.batches - 1) as u32, ..Default::default() };
        let mut cpu = Cpu::<f64>::new(shared);
        cpu.set_lane(0, program, &params);
        let elements = match task.loss {
            LossKind::Mse => task.batch_rows() * task.layers.last().unwrap().outputs,
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
        let of = |(_, buffer, tensor): &(usize, Buffer, lora_playground::kernel::recording::Tensor)| {
            let values = tensor.gather(&self.cpu.values(0, *buffer));
            values.chunks_exact(tensor.shape[2]).map(<[f64]>::to_vec).collect()
        };
        self.cpu.program(0).gates.iter().map(of).collect()
    }

    /// Which gates are open: a finite difference across a change of routing would mean nothing.
    fn routing(&self) -> Vec<bool> {
        self.gates().iter().flatten().flatten().map(|&g| g != 0.0).collect()
    }

    /// The loss with the balance term, at the current parameters.
    fn objective(&self) -> f64 {
        self.run();
        let losses = self.cpu.values(0, LOSSES);
        let loss = losses[LOSS_SLOTS * LOSS_PARTS..].iter().sum::<f64>() * self.scale;
        drop(losses);
        let balance = balance(&self.lane.method);
        let term = |(gates, shares): (&Vec<Vec<f64>>, &Vec<f64>)| balance_term(&balance, gates, shares);
        loss + self.gates().iter().zip(&self.shares).map(term).sum::<f64>()
    }
}

fn balance(method: &Method) -> Balance {
    match method {
        Method::Molora { balance, .. } | Method::Mor1e { balance, .. } => *balance,
        _ => Balance::default(),
    }
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

fn balance_term(balance: &Balance, gates: &[Vec<f64>], shares: &[f64]) -> f64 {
    let n = gates[0].len();
    let mean = |i: usize| gates.iter().map(|g| g[i]).sum::<f64>() / gates.len() as f64;
    balance.coefficient
        * match balance.kind {
            BalanceKind::None => 0.0,
            BalanceKind::Entropy => (0..n).map(|i| mean(i) * (mean(i) + 1e-12).ln()).sum(),
            BalanceKind::Switch => n as f64 * (0..n).map(|i| shares[i] * mean(i)).sum::<f64>(),
        }
}

fn check(what: &str, task: &TaskData, lane: &Lane) {
    let bench = Bench::new(task, lane);
    bench.run();
    let grads = bench.cpu.values(0, GRADS).clone();
    let routing = bench.routing();
    let mut largest: f64 = 0.0;
    for tensor in &bench.cpu.program(0).tensors {
        for (i, at) in tensor.positions().enumerate() {
            let value = bench.cpu.values(0, PARAMS)[at];
            let moved = |to: f64| {
                bench.cpu.values(0, PARAMS)[at] = to;
                let objective = bench.objective();
                assert_eq!(bench.routing(), routing, "{what}: {}[{i}] is at a tie of the routing", tensor.name);
                objective
            };
            let expected = (moved(value + STEP) - moved(value - STEP)) / (2.0 * STEP);
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
    for (name, method) in variants() {
        check(name, &one_layer(), &method.into());
    }
}

#[test]
fn three_layers_with_cross_entropy() {
    for (name, method) in variants() {
        check(name, &three_layers(), &method.into());
    }
}

#[test]
fn adapters_on_some_layers() {
    for (name, method) in variants() {
        for layers in [vec![0], vec![1], vec![2], vec![0, 2]] {
            let what = format!("{name} on {layers:?}");
            check(&what, &three_layers(), &Lane { method: method.clone(), layers: Some(layers) });
        }
    }
}

/// Kernels work on whole tiles; what lies between the real values must stay zero, or it would leak into them.
#[test]
fn padding_stays_zero() {
    for (name, method) in variants() {
        for task in [one_layer(), three_layers()] {
            let optimizer = Optimizer { weight_decay: 0.1, ..Default::default() };
            let program = compile(&task, &method.clone().into(), &optimizer);
            let params = random_params(&program, 6);
            let shared = share(&task);
            let schedule = lora_playground::config::Schedule { warmup: 0, total: 20 };
            let steps: Vec<Step> =
                (0..10).map(|t| optim::step(&optimizer, &schedule, t, shared.batch_row(t), t)).collect();
            let mut real = vec![false; program.padded];
            program.tensors.iter().for_each(|t| t.positions().for_each(|at| real[at] = true));
            let mut cpu = Cpu::<f32>::new(shared);
            cpu.set_lane(0, program, &params);
            cpu.train(&[0], &steps);
            assert_ne!(cpu.read(0, PARAMS), params, "{name}: nothing was trained");
            for (what, buffer) in [("params", PARAMS), ("grads", GRADS), ("moments", MOMENTS)] {
                for (at, (value, real)) in cpu.read(0, buffer).iter().zip(real.iter().cycle()).enumerate() {
                    assert!(*real || *value == 0.0, "{name}: {what}[{at}] is padding, and {value}");
                }
            }
        }
    }
}
