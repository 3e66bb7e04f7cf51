//! What theory predicts, met by the engine: rank and static floors, the gate's granularity, the zero start, merging,
//! sizes. Losses are shares of the target's energy; beside each prediction stands what a float64 prototype measured.
#![cfg(not(target_arch = "wasm32"))]

mod common;

use common::lanes::{lora, molora, mor1e, one_layer, three_layers, variants};
use common::rows::{read, with_rows};
use common::{assert_close, device};
use lora_playground::config::{Config, Domains, Lane, Schedule, Spectrum, Task};
use lora_playground::exec::gpu::Device;
use lora_playground::graph::{GRADS, MOMENTS, PARAMS};
use lora_playground::inspect::merge::{Experts, Observed};
use lora_playground::lab::Lab;
use lora_playground::method::FULL;
use lora_playground::method::description::{Start, Widths};
use lora_playground::method::match_size::lane_count;
use lora_playground::net::compile;
use lora_playground::protocol::MergeMode;
use lora_playground::task::floors::{floors, static_floor};
use lora_playground::task::table::Table;
use lora_playground::task::{Network, Targets, TaskData, domains};
use ndarray::Array2;
use pollster::block_on;

/// Steps to convergence at the default rate.
const STEPS: usize = 1_000;

fn train(task: Domains, lanes: Vec<Lane>, device: Option<Device>) -> Lab {
    let config = Config {
        task: Task::Domains(task.clone()),
        lanes,
        schedule: Schedule { warmup: 50, total: STEPS },
        ..Default::default()
    };
    let data = domains(&task, config.seed.into()).unwrap();
    let mut lab = Lab::new(config, data, device).unwrap();
    block_on(lab.train(STEPS)).unwrap();
    lab
}

fn scaling(lane: &Lane) -> f64 {
    (lane.method.scaling)(&lane.settings)
}

/// Mean loss over the last pass through the pool.
fn share(lab: &Lab, lane: usize) -> f64 {
    let losses = lab.losses(lane);
    let last = &losses[losses.len() - lab.task.batches..];
    last.iter().sum::<f64>() / last.len() as f64 / lab.task.pool_energy
}

fn assert_share(what: &str, got: f64, expected: f64, tolerance: f64) {
    println!("{what}: {got:.4} ({expected:.4})");
    assert!((got - expected).abs() <= tolerance, "{what}: {got:.4} instead of {expected} ± {tolerance}");
}

#[test]
fn rank_floor_is_the_eckart_young_tail() {
    let task = Domains { domains: 1, true_rank: 16, spectrum: Spectrum::Harmonic, ..Default::default() };
    let predicted = [(1, 0.3688), (2, 0.2110), (4, 0.1015), (8, 0.0359), (16, 0.0)];
    let lab = train(task, predicted.map(|(rank, _)| lora(rank, 2.0 * rank as f64)).to_vec(), None);
    for (lane, (rank, floor)) in predicted.into_iter().enumerate() {
        let theory = static_floor(lab.task.teacher.as_ref().unwrap(), rank);
        assert!((theory - floor).abs() < 6e-5, "the floor of rank {rank} is computed as {theory}");
        assert_share(&format!("LoRA r{rank}"), share(&lab, lane), floor, 0.005);
    }
}

/// Of a table whose inputs are correlated: y1 = 3 a, y2 = c + 2 a b, of whose mean square, (9 + 1 + 4) / 2, least squares leaves 4 / 2
/// and the best change of rank 1 half of 1 more.
#[test]
fn single_weights_on_a_table_end_at_what_least_squares_leaves() {
    let sign = |row: usize, bit: usize| if row >> bit & 1 == 1 { 1.0 } else { -1.0 };
    let row = |row: usize| {
        let (a, b, c) = (sign(row, 0), sign(row, 1), sign(row, 2));
        [a + 0.2 * b, b + 0.3 * c, 0.1 * a + c, 3.0 * a, c + 2.0 * a * b].map(|value| value.to_string()).join(",")
    };
    let csv: Vec<String> = std::iter::once("a,b,c,y1,y2".into()).chain((0..8).map(row)).collect();
    let mut table = Table::read("table.csv", csv.join("\n").as_bytes()).unwrap();
    table.standardise(false);
    let task = table.task().unwrap();
    let mut config = Config { task: Task::Custom, lanes: vec![(&FULL).into(), lora(1, 2.0)], ..Default::default() };
    config.optimizer.lr = 0.05;
    config.schedule.total = STEPS;
    let told = floors(&config.task, &config.lanes, &task);
    let labels: Vec<_> = told.iter().map(|floor| floor.label.as_str()).collect();
    assert_eq!(labels, ["floor, any single W", "floor, rank 1"]);
    let mut lab = Lab::new(config, task, None).unwrap();
    block_on(lab.train(STEPS)).unwrap();
    for (lane, left) in [2.0, 2.5].into_iter().enumerate() {
        assert!((told[lane].share - left / 7.0).abs() < 1e-6, "{:?}", told[lane]);
        assert_share(&told[lane].label, share(&lab, lane), left / 7.0, 0.001);
    }
}

#[test]
fn no_single_weight_gets_below_the_static_floor() {
    let lab =
        train(Domains { true_rank: 8, ..Default::default() }, vec![(&FULL).into(), lora(8, 16.0), lora(2, 4.0)], None);
    let teacher = lab.task.teacher.as_ref().unwrap();
    for (rank, floor) in [(64, 0.75), (8, 0.75), (2, 0.9375)] {
        assert!((static_floor(teacher, rank) - floor).abs() < 1e-9);
    }
    for (lane, what, measured) in [(0, "full", 0.7495), (1, "LoRA r8", 0.7493), (2, "LoRA r2", 0.9376)] {
        assert_share(what, share(&lab, lane), measured, 0.005);
    }
}

#[test]
fn gates_get_below_it_as_far_as_they_can_tell_the_domains() {
    let lanes = vec![molora(4, 2, 4.0), mor1e(8, 2.0, "token"), mor1e(4, 2.0, "token"), mor1e(8, 2.0, "pooled")];
    let lab = train(Domains::default(), lanes, None);
    // The more gates have sharpened, the less they leak, so a little less than the prototype's is as good.
    assert_share("MoLoRA 4×2", share(&lab, 0), 0.067, 0.025);
    assert_share("8 experts, token gate", share(&lab, 1), 0.059, 0.025);
    assert_share("4 experts, token gate", share(&lab, 2), 0.53, 0.025);
    assert_share("8 experts, pooled gate", share(&lab, 3), 0.0, 0.005);
    // Eight directions are all there is to write to, and four are half of it.
    assert!(share(&lab, 2) > 0.5);
    merges(&lab);
}

/// Of a trained MoLoRA 4×2 (lane 0): what the merges leave of the target's energy.
fn merges(lab: &Lab) {
    let (dim, task) = (lab.task.network.inputs(), &lab.task);
    let count = task.rows();
    let Targets::Dense(y) = &task.y else { panic!("the task is a regression") };
    let rows = with_rows(task, task.sequence, &task.x, Targets::Dense(y.clone()));
    let wide =
        |values: &[f32], width: usize| Array2::from_shape_fn((count, width), |(r, c)| f64::from(values[r * width + c]));
    let reading = read(lab, 0, &rows);
    let (x, gates) = (wide(&rows.x, dim), wide(&reading.gates, 4));
    let base = Array2::from_shape_fn((dim, dim), |(o, i)| f64::from(task.base[0].weight[o * dim + i]));
    let wanted = wide(y, dim) - x.dot(&base.t());
    let row_domains = task.row_domains.as_slice();
    let factor = |name: &str| block_on(lab.tensor(0, &format!("layers.0.{name}"))).unwrap();
    let scale = scaling(lab.lane(0));
    let experts = Experts::new((4, 2), (dim, dim), &factor("lora_A"), &factor("lora_B"), scale).unwrap();
    let energy = wanted.iter().map(|v| v * v).sum::<f64>();
    let left = |change: Array2<f64>| (change - &wanted).iter().map(|v| v * v).sum::<f64>() / energy;

    let routed = experts.routed(&x, &gates);
    // The experts and gates are the very ones the engine runs.
    let engine = wide(&reading.output, dim) - x.dot(&base.t());
    let off = (&engine - &routed).iter().fold(0.0, |worst: f64, v| worst.max(v.abs()));
    assert!(off < 1e-4, "the engine's mixture and the inspected one differ by {off}");
    assert_share("routed", left(routed), 0.067, 0.025);

    let observed = Observed { x: &x, gates: &gates, row_domains, domains: 4 };
    let merged = |mode| left(experts.merge(mode, observed, 0).unwrap().output(&x, row_domains));
    assert_share("(b) mean gate", merged(MergeMode::MeanGate), 0.749, 0.005);
    assert_share("(c) mean gate per domain", merged(MergeMode::MeanGatePerDomain), 0.0065, 0.005);
    assert_share("(d) top expert per domain", merged(MergeMode::TopExpertPerDomain), 0.0001, 0.001);
    // Least squares is the best single weight, fitted on the rows it is measured on, and meets the floor.
    let best = merged(MergeMode::LeastSquares);
    assert_share("(e) least squares", best, 0.75, 0.005);
    assert!(best <= merged(MergeMode::MeanGate));
}

#[test]
fn one_gate_cannot_serve_a_mixed_sequence() {
    let lanes = vec![mor1e(8, 2.0, "pooled"), mor1e(8, 2.0, "token")];
    let lab = train(Domains { mixed: true, ..Default::default() }, lanes, None);
    assert_share("mixed, pooled gate", share(&lab, 0), 0.685, 0.025);
    assert_share("mixed, token gate", share(&lab, 1), 0.072, 0.025);
}

/// A rank-8 LoRA's weight, merged in f32, gives the adapted output to f32 rounding.
#[test]
fn lora_merges_exactly() {
    let lab = train(Domains::default(), vec![lora(8, 16.0)], None);
    let dim = 64;
    let get = |name: &str| block_on(lab.tensor(0, name)).unwrap();
    let (a, b, adapted) = (get("layers.0.lora_A"), get("layers.0.lora_B"), get("output"));
    let scale = scaling(lab.lane(0)) as f32;
    let change = |o: usize, i: usize| (0..8).map(|r| b[o * 8 + r] * a[r * dim + i]).sum::<f32>();
    let merged: Vec<f32> =
        (0..dim * dim).map(|at| lab.task.base[0].weight[at] + scale * change(at / dim, at % dim)).collect();
    let batch = lab.step() % lab.task.batches * lab.task.batch_rows();
    let (mut worst, mut largest) = (0f32, 0f32);
    for (row, adapted) in adapted.chunks_exact(dim).enumerate() {
        let x = &lab.task.x[(batch + row) * dim..][..dim];
        for (o, &adapted) in adapted.iter().enumerate() {
            let y: f32 = merged[o * dim..(o + 1) * dim].iter().zip(x).map(|(w, x)| w * x).sum();
            worst = worst.max((y - adapted).abs());
            largest = largest.max(y.abs());
        }
    }
    println!("merge error {worst:e} of {largest}");
    // Sums of 64 products in two orders, each within 64 units of rounding.
    assert!(worst <= 64.0 * f32::EPSILON * largest, "{worst:e} where outputs reach {largest}");
}

/// What needs no training: the zero start, on one layer and three, on both backends.
async fn starts_at_zero(device: Option<Device>) {
    let mut held = device;
    let on_gpu = held.is_some();
    for task in [one_layer(), three_layers()] {
        let mut lanes = vec![Lane::base()];
        lanes.extend(variants().into_iter().map(|(_, lane)| quiet(lane)));
        let count = lanes.len();
        let lab = Lab::new(Config { lanes, ..Default::default() }, task, held.take()).unwrap();
        assert_eq!(lab.backend() == "webgpu", on_gpu);
        let base = lab.tensor(0, "output").await.unwrap();
        assert!(base.iter().any(|v| *v != 0.0));
        for lane in 1..count {
            let own = lab.lane(lane).clone();
            let name = format!("{own:?}");
            let output = lab.tensor(lane, "output").await.unwrap();
            // Two methods begin at the frozen weight by way of it: exact but for rounding.
            let parameters = (own.method.parameters)(&own.settings, Widths { inputs: 11, outputs: 7 });
            let rebuilt = parameters.iter().any(|p| p.trained && matches!(p.start, Start::Made(_)));
            // What begins at zero behind the rest moves first; gates wait for it.
            let first = |part: &str| {
                parameters.iter().any(|p| p.name == part && matches!(p.start, Start::Zero) && p.part != "gate")
            };
            if rebuilt {
                assert_close(&name, &output, &base, 1e-5, 1e-5);
            } else {
                assert_eq!(output, base, "{name} changes the output untrained");
            }
            let mut moved = 0.0f32;
            for info in lab.tensors(lane).unwrap().into_iter().filter(|t| t.name.contains(".grad.")) {
                let gradient = lab.tensor(lane, &info.name).await.unwrap();
                let part = info.name.split_once(".grad.").unwrap().1;
                if first(part) || rebuilt && part == "lora_B" {
                    moved = gradient.iter().fold(moved, |m, g| m.max(g.abs()));
                } else if !rebuilt && !matches!(part, "lora_P" | "lora_Q") {
                    assert!(gradient.iter().all(|&g| g == 0.0), "{name}: {} is not zero at step 1", info.name);
                }
            }
            assert!(moved > 1e-3, "{name} cannot leave its start");
        }
        held = lab.into_device();
    }
}

/// Without the terms of the loss that pull at gates and experts from the first step on.
fn quiet(mut lane: Lane) -> Lane {
    lane.settings.set("balance.kind", "none");
    lane.settings.set("balance.coefficient", 0.0);
    lane.settings.set("orthogonality", 0.0);
    lane
}

#[test]
fn untrained_adapters_change_nothing() {
    block_on(starts_at_zero(None));
    block_on(starts_at_zero(Some(device())));
}

#[test]
fn sizes_by_formula_are_those_of_the_buffers() {
    let sizes = [(1, 1), (3, 2), (4, 4), (9, 1), (8, 5)];
    let mut lanes: Vec<Lane> = variants().into_iter().map(|(_, lane)| lane).collect();
    lanes.extend(sizes.map(|(n, r)| molora(n, r, 1.0)));
    lanes.extend([1, 7, 16].map(|rank| lora(rank, 1.0)));
    lanes.extend([1, 4, 12].map(|n| mor1e(n, 1.0, "pooled")));
    for lane in lanes {
        for (task, layers) in [(one_layer(), None), (three_layers(), None), (three_layers(), Some(vec![0, 2]))] {
            let lane = Lane { layers, ..lane.clone() };
            let formula = lane_count(&lane, task.network.sites());
            let compiled = compile(&task, &lane, &Default::default());
            assert_eq!(compiled.parameters, formula, "{lane:?}");
            // Every parameter has a place of its own in the buffers that hold parameters, gradients and moments.
            let mut places: Vec<usize> = compiled.tensors().flat_map(|t| t.positions().collect::<Vec<_>>()).collect();
            places.sort_unstable();
            places.dedup();
            assert_eq!(places.len(), formula, "{lane:?}");
            for buffer in [PARAMS, GRADS, MOMENTS] {
                assert!(places.last() < Some(&compiled.len_of(buffer)), "{lane:?}: {buffer:?}");
            }
            let lab = Lab::new(Config { lanes: vec![lane], ..Default::default() }, task, None).unwrap();
            assert_eq!(lab.parameter_count(0), formula);
        }
    }
}

#[test]
fn a_large_gate_outweighs_its_experts() {
    let task = TaskData { network: Network::stack(&[4096, 4096]), ..one_layer() };
    let count = |lane: Lane| compile(&task, &lane, &Default::default()).parameters;
    let mixture = count(mor1e(4, 2.0, "pooled"));
    assert_eq!(mixture, 32_768 + 2_363_396);
    assert_eq!((mixture as f64 / count(lora(8, 16.0)) as f64 * 10.0).round(), 366.0);
}

/// On the GPU: what no single weight can do, and a mixture can.
#[test]
fn the_gpu_meets_the_floors_too() {
    let task = Domains { dim: 32, batch: 16, ..Default::default() };
    let lab = train(task, vec![(&FULL).into(), molora(4, 2, 4.0), mor1e(8, 2.0, "pooled")], Some(device()));
    assert_eq!(lab.backend(), "webgpu");
    assert_share("full", share(&lab, 0), 0.75, 0.01);
    assert_share("MoLoRA 4×2", share(&lab, 1), 0.067, 0.025);
    assert_share("8 experts, pooled gate", share(&lab, 2), 0.0, 0.005);
}
