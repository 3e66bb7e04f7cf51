//! What variants promise beyond their formulas: AdaLoRA's budget is kept on both backends, DyLoRA's smaller ranks work,
//! PiSSA begins where the frozen weight is largest, noise is noise, and sizes may differ between layers.
#![cfg(not(target_arch = "wasm32"))]

mod common;

use common::device;
use common::lanes::{lora, mor1e, three_layers};
use lora_playground::config::{Config, Domains, Lane, Schedule, Spectrum, Task};
use lora_playground::exec::gpu::Device;
use lora_playground::lab::Lab;
use lora_playground::lab::forward::matrix;
use lora_playground::method::{ADALORA, DYLORA, FULL, MOLORA};
use lora_playground::spectrum::singular_values;
use lora_playground::task::domains;
use pollster::block_on;

/// Pruned to so many directions a layer between two steps.
fn adalora(rank: usize, alpha: f64, target: usize, begin: usize, end: usize) -> Lane {
    let lane = Lane::from(&ADALORA).with("rank", rank).with("alpha", alpha).with("target_rank", target);
    lane.with("budget_begin", begin).with("budget_end", end)
}

fn lab(lanes: Vec<Lane>, task: Domains, total: usize, device: Option<Device>) -> Lab {
    let schedule = Schedule { warmup: 20, total };
    let config = Config { lanes, task: Task::Domains(task.clone()), schedule, ..Default::default() };
    let data = domains(&task, config.seed.into()).unwrap();
    Lab::new(config, data, device).unwrap()
}

fn get(lab: &Lab, lane: usize, name: &str) -> Vec<f32> {
    block_on(lab.tensor(lane, name)).unwrap()
}

/// Directions of all layers whose singular value is not zero.
fn in_use(lab: &Lab) -> usize {
    let layers = 0..lab.task.network.sites().len();
    layers.map(|l| get(lab, 0, &format!("layers.{l}.lora_E")).iter().filter(|&&e| e != 0.0).count()).sum()
}

fn keeps_its_budget(device: Option<Device>) -> Option<Device> {
    let lane = adalora(6, 12.0, 2, 20, 60);
    let config = Config { lanes: vec![lane], schedule: Schedule { warmup: 5, total: 200 }, ..Default::default() };
    let mut lab = Lab::new(config, three_layers(), device).unwrap();
    // Three layers of six directions fall to two each, all layers together: 6 + (18 − 6)(1 − τ)³ right after step 40.
    for (until, kept) in [(20, 18), (41, 6 + 1), (71, 6)] {
        block_on(lab.train(until - lab.step())).unwrap();
        assert_eq!(in_use(&lab), kept, "after {until} steps on {}", lab.backend());
    }
    lab.into_device()
}

#[test]
fn adalora_keeps_to_its_budget() {
    keeps_its_budget(None);
    keeps_its_budget(Some(device()));
}

/// One task of true rank 4: AdaLoRA of initial rank 8 is left with the four directions there are.
#[test]
fn adalora_keeps_the_directions_that_matter() {
    let lane = adalora(8, 16.0, 4, 200, 600);
    let task = Domains { dim: 32, domains: 1, true_rank: 4, ..Domains::default() };
    let mut lab = lab(vec![lane], task, 1500, None);
    block_on(lab.train(1500)).unwrap();
    assert_eq!(in_use(&lab), 4);
    let share = lab.losses(0)[1499] / lab.task.energy;
    assert!(share < 1e-3, "{share}");
}

/// Loss of a LoRA-shaped lane cut down to its first `rank` directions, as a share of the target's energy.
fn cut(lab: &mut Lab, lane: usize, rank: usize, width: usize) -> f64 {
    let name = "layers.0.lora_B";
    let whole = get(lab, lane, name);
    let mut b = whole.clone();
    b.chunks_exact_mut(width).for_each(|row| row[rank..].fill(0.0));
    block_on(lab.set_tensor(lane, name, &b)).unwrap();
    let output = get(lab, lane, "output");
    block_on(lab.set_tensor(lane, name, &whole)).unwrap();
    let row = lab.step() % lab.task.batches * lab.task.batch_rows();
    let lora_playground::task::Targets::Dense(y) = &lab.task.y else { unreachable!() };
    let y = &y[row * lab.task.network.outputs()..][..output.len()];
    let square: f64 = output.iter().zip(y).map(|(&o, &t)| (f64::from(o) - f64::from(t)).powi(2)).sum();
    square / output.len() as f64 / lab.task.energy
}

/// With singular values 1/i the best rank-b change leaves the tail beyond b. DyLoRA comes near it at every b; a plain LoRA
/// cut to its first directions does not.
#[test]
fn every_smaller_rank_of_dylora_works() {
    let task = Domains { dim: 32, domains: 1, true_rank: 8, spectrum: Spectrum::Harmonic, ..Domains::default() };
    let lanes = vec![Lane::from(&DYLORA).with("rank", 8).with("alpha", 16.0), lora(8, 16.0)];
    let mut lab = lab(lanes, task, 2000, None);
    block_on(lab.train(2000)).unwrap();
    let energy = |from: usize| (from + 1..=8).map(|i| 1.0 / (i * i) as f64).sum::<f64>();
    for rank in [1, 2, 4, 6] {
        let floor = energy(rank) / energy(0);
        let (dylora, plain) = (cut(&mut lab, 0, rank, 8), cut(&mut lab, 1, rank, 8));
        println!("rank {rank}: floor {floor:.4}, DyLoRA {dylora:.4}, LoRA cut {plain:.4}");
        assert!(dylora < floor + 0.06, "rank {rank}: {dylora} where {floor} is best");
        assert!(plain > floor + 0.1, "rank {rank}: a cut LoRA is no worse: {plain}");
    }
}

/// PiSSA's factors are the largest singular directions of the frozen weight, in f32.
#[test]
fn pissa_begins_at_the_largest_directions() {
    let lane = lora(4, 8.0).with("init", "pissa");
    let lab = lab(vec![lane], Domains { dim: 32, ..Domains::default() }, 100, None);
    let (a, b) = (matrix(&get(&lab, 0, "layers.0.lora_A"), 32), matrix(&get(&lab, 0, "layers.0.lora_B"), 4));
    let held = singular_values(&(2.0 * b.dot(&a)));
    let all = singular_values(&matrix(&lab.task.base[0].weight, 32));
    for (held, all) in held.iter().zip(&all).take(4) {
        assert!((held - all).abs() < 1e-5 * all, "{held} instead of {all}");
    }
    assert!(held[4] < 1e-5 * all[0]);
}

/// Noise on a router has mean 0 and variance 1 times its strength, differs from step to step, and is gone at rest.
#[test]
fn noise_is_noise_and_only_while_training() {
    let with = |noise: f64| Lane::from(&MOLORA).with("noise", noise);
    let mut lab = lab(vec![with(1.0), with(0.0)], Domains { dim: 32, ..Domains::default() }, 100, None);
    assert_eq!(get(&lab, 0, "output"), get(&lab, 1, "output"));
    let zero = vec![0.0; get(&lab, 0, "layers.0.router").len()];
    block_on(lab.set_tensor(0, "layers.0.router", &zero)).unwrap();
    // Logits are the noise alone, so the logarithms of gates are, but for a constant in each row.
    let gates = get(&lab, 0, "layers.0.gate");
    let mut squares = 0.0;
    for row in gates.chunks_exact(4) {
        let logs: Vec<f64> = row.iter().map(|&g| f64::from(g).ln()).collect();
        let mean = logs.iter().sum::<f64>() / 4.0;
        squares += logs.iter().map(|l| (l - mean).powi(2)).sum::<f64>();
    }
    let variance = squares / (3.0 * (gates.len() / 4) as f64);
    assert!((variance - 1.0).abs() < 0.15, "{variance}");
    block_on(lab.train(1)).unwrap();
    block_on(lab.set_tensor(0, "layers.0.router", &zero)).unwrap();
    assert_ne!(get(&lab, 0, "layers.0.gate"), gates);
}

/// MoLA: `[8, 2, 4]` experts on three layers, parameters and gates by layer.
#[test]
fn sizes_may_differ_between_layers() {
    let experts = vec![8, 2, 4];
    let lane = Lane::from(&MOLORA).with("experts_per_layer", experts.clone());
    let config = Config { lanes: vec![lane], ..Default::default() };
    let mut lab = Lab::new(config, three_layers(), None).unwrap();
    let mut parameters = 0;
    for (l, (layer, n)) in lab.task.network.clone().sites().iter().zip(experts).enumerate() {
        parameters += n * (2 * (layer.inputs + layer.outputs) + layer.inputs);
        assert_eq!(get(&lab, 0, &format!("layers.{l}.gate")).len(), 15 * n);
    }
    assert_eq!(lab.parameter_count(0), parameters);
    // A new rank is that of every expert, of which each layer keeps its own: growing changes nothing.
    block_on(lab.train(20)).unwrap();
    let before = get(&lab, 0, "output");
    block_on(lab.set_rank(0, 3)).unwrap();
    assert_eq!(lab.lane(0).settings.sizes("experts_per_layer"), Some(&[8, 2, 4][..]));
    let after = get(&lab, 0, "output");
    let (size, off) =
        before.iter().zip(&after).fold((0.0f32, 0.0f32), |(s, d), (b, a)| (s + b * b, d + (b - a).powi(2)));
    assert!(off.sqrt() <= 1e-6 * size.sqrt(), "{} of {}", off.sqrt(), size.sqrt());
    let refused = block_on(lab.set_rank(0, 65)).unwrap_err().to_string();
    assert!(refused.contains("experts · rank = 520"), "{refused}");
}

/// LoRA's ranks by layer become one rank; a rank's budget is never above the rank.
#[test]
fn another_size_leaves_nothing_that_contradicts_it() {
    let lane = lora(8, 8.0).with("rank_per_layer", vec![2, 4, 6]);
    let config = Config { lanes: vec![lane], ..Default::default() };
    let mut lab = Lab::new(config, three_layers(), None).unwrap();
    block_on(lab.train(20)).unwrap();
    let before = get(&lab, 0, "output");
    block_on(lab.set_rank(0, 6)).unwrap();
    assert_eq!(*lab.lane(0), lora(6, 8.0));
    let off = before.iter().zip(&get(&lab, 0, "output")).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(off < 1e-5, "{off}");
    let lane = Lane::from(&ADALORA).with("rank", 8).with("target_rank", 6);
    assert_eq!(lane.resized(4).settings.maybe_whole("target_rank"), Some(4));
    assert!(block_on(lab.set_rank(0, 0)).is_err());
}

/// Lost in mid-training, a lane goes on as if nothing had been: AdaLoRA's averages are part of what is held.
#[test]
fn a_snapshot_holds_all_that_training_carries() {
    let lanes = vec![adalora(6, 12.0, 2, 10, 40), Lane::from(&MOLORA).with("noise", 0.5)];
    let config = Config { lanes, schedule: Schedule { warmup: 5, total: 100 }, ..Default::default() };
    let run = |lose: bool| {
        let mut lab = Lab::new(config.clone(), three_layers(), None).unwrap();
        block_on(lab.train(33)).unwrap();
        if lose {
            let snapshot = block_on(lab.snapshot()).unwrap();
            lab.restore(None, &snapshot).unwrap();
        }
        block_on(lab.train(30)).unwrap();
        let values =
            |lane: usize| lab.tensors(lane).unwrap().into_iter().map(|t| get(&lab, lane, &t.name)).collect::<Vec<_>>();
        [values(0), values(1)]
    };
    assert_eq!(run(false), run(true));
}

/// `0.5 + 2⟨cᵢ, e⟩` with ω = ½ and an even router, from the data as they are; nothing is added to the output, and no gradient
/// reaches the gate.
fn begins_between_intuition_and_router(device: Option<Device>) -> Option<Device> {
    let lanes = vec![mor1e(5, 2.0, "prototype"), (&FULL).into()];
    let lab = lab(lanes, Domains { dim: 32, batch: 8, ..Domains::default() }, 100, device);
    let prototypes = matrix(&get(&lab, 0, "layers.0.gate.prototypes"), 32);
    let gates = get(&lab, 0, "layers.0.gate");
    let s = lab.task.sequence;
    for (t, gate) in gates.chunks_exact(5).enumerate() {
        let first = t / s * s;
        let token = |t: usize| lab.task.x[t * 32..(t + 1) * 32].iter().map(|&v| f64::from(v));
        let mut mean = vec![0.0; 32];
        (first..first + s).for_each(|t| mean.iter_mut().zip(token(t)).for_each(|(m, v)| *m += v));
        let length = mean.iter().map(|v| v * v).sum::<f64>().sqrt();
        for (c, &got) in prototypes.rows().into_iter().zip(gate) {
            let like: f64 = c.iter().zip(&mean).map(|(c, m)| c * m).sum::<f64>() / length;
            assert!((f64::from(got) - 0.5 - 2.0 * like).abs() < 1e-5, "{got} where ⟨c, e⟩ = {like}");
        }
    }
    assert!(gates.iter().any(|&g| g > 1.0), "nothing that a share could not be");
    assert_eq!(get(&lab, 0, "output"), get(&lab, 1, "output"));
    for name in ["gate.router", "gate.mix", "v"] {
        assert!(get(&lab, 0, &format!("layers.0.grad.{name}")).iter().all(|&g| g == 0.0), "{name}");
    }
    assert_eq!(lab.parameter_count(0), 5 * 64 + 5 * 32 + 1);
    lab.into_device()
}

#[test]
fn prototypes_begin_between_intuition_and_router() {
    begins_between_intuition_and_router(None);
    begins_between_intuition_and_router(Some(device()));
}

/// Four tasks in conflict, four prototypes: the gate knows the task from the first step on, and the lane goes below what any
/// single weight can reach, 0.75.
#[test]
fn prototypes_tell_tasks_apart() {
    let lanes = vec![mor1e(8, 2.0, "prototype"), mor1e(8, 2.0, "prototype").with("flex", 2)];
    let mut lab = lab(lanes, Domains { dim: 32, batch: 16, ..Domains::default() }, 1200, None);
    block_on(lab.train(1200)).unwrap();
    for lane in 0..2 {
        let share = lab.losses(lane)[1190..].iter().sum::<f64>() / 10.0 / lab.task.energy;
        let mix = f64::from(get(&lab, lane, "layers.0.gate.mix")[0]);
        println!("lane {lane}: {share:.4} of the target's energy, ω {:.3}", 1.0 / (1.0 + (-100.0 * mix).exp()));
        assert!(share < [0.2, 0.7][lane], "lane {lane}: {share}");
    }
}

/// p vectors that read and q that write are p·q experts with two vectors each, written out.
#[test]
fn shared_vectors_are_experts_written_out() {
    for (p, q) in [(2, 3), (3, 2), (6, 1), (1, 6)] {
        let config = Config {
            lanes: vec![mor1e(6, 2.0, "token").with("flex", p), mor1e(6, 2.0, "token")],
            schedule: Schedule { warmup: 2, total: 100 },
            ..Default::default()
        };
        let mut lab = Lab::new(config, three_layers(), None).unwrap();
        block_on(lab.train(30)).unwrap();
        for (l, layer) in lab.task.network.clone().sites().iter().enumerate() {
            let name = |what: &str| format!("layers.{l}.{what}");
            let (v, u) = (get(&lab, 0, &name("v")), get(&lab, 0, &name("u")));
            assert_eq!((v.len(), u.len()), (p * layer.inputs, q * layer.outputs));
            let row = |all: &[f32], width: usize, at: usize| all[at * width..(at + 1) * width].to_vec();
            let v: Vec<f32> = (0..6).flat_map(|e| row(&v, layer.inputs, e / q)).collect();
            let u: Vec<f32> = (0..6).flat_map(|e| row(&u, layer.outputs, e % q)).collect();
            block_on(lab.set_tensor(1, &name("v"), &v)).unwrap();
            block_on(lab.set_tensor(1, &name("u"), &u)).unwrap();
            for own in ["w1", "b1", "ln_weight", "ln_bias", "w2", "b2"].map(|part| format!("intuition.{part}")) {
                let values = get(&lab, 0, &name(&own));
                block_on(lab.set_tensor(1, &name(&own), &values)).unwrap();
            }
            for own in ["gate.w", "gate.b"] {
                let values = get(&lab, 0, &name(own));
                block_on(lab.set_tensor(1, &name(own), &values)).unwrap();
            }
        }
        let (shared, apart) = (get(&lab, 0, "output"), get(&lab, 1, "output"));
        common::assert_close(&format!("{p} × {q}"), &shared, &apart, 1e-5, 1e-5);
    }
}

/// Prototypes outlive a change of the loss's terms and of the device; their number is part of how a lane begins.
#[test]
fn prototypes_stay() {
    let mut lab = lab(vec![mor1e(4, 2.0, "prototype")], Domains { dim: 32, ..Domains::default() }, 100, None);
    let name = "layers.0.gate.prototypes";
    let first = get(&lab, 0, name);
    block_on(lab.train(5)).unwrap();
    let to = lab.lane(0).clone().with("orthogonality", 0.1);
    block_on(lab.tune(0, to)).unwrap();
    block_on(lab.train(5)).unwrap();
    let snapshot = block_on(lab.snapshot()).unwrap();
    lab.restore(None, &snapshot).unwrap();
    block_on(lab.train(5)).unwrap();
    assert_eq!(get(&lab, 0, name), first);
    let refused = block_on(lab.set_rank(0, 5)).unwrap_err().to_string();
    assert!(refused.starts_with("lanes[0].experts: 5 is not allowed"), "{refused}");
    // Given by hand, they are these.
    let given = vec![0.5; first.len()];
    block_on(lab.set_tensor(0, name, &given)).unwrap();
    assert_eq!(get(&lab, 0, name), given);
    let missing = block_on(lab.tensor(0, "layers.0.grad.gate.prototypes")).unwrap_err().to_string();
    assert!(missing.contains("gate.prototypes"), "{missing}");
}
