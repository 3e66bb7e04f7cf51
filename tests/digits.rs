//! Digits: a base pretrained in the engine, then adapted to changed digits, reaches the accuracies of the PyTorch
//! prototype, and every lane forgets the upright ones.
#![cfg(not(target_arch = "wasm32"))]

mod common;

use common::lanes::{lora, molora, mor1e};
use common::rows::{accuracy, merged_base, read, with_rows};
use lora_playground::config::{Config, Digits, Lane, Schedule};
use lora_playground::lab::Lab;
use lora_playground::method::FULL;
use lora_playground::task::{HeldOut, Targets, digits};
use pollster::block_on;

/// Of the base's own training.
const PRETRAINING_RATE: f64 = 0.0025;
const STEPS: usize = 1_500;
const TOLERANCE: f64 = 0.03;

/// Share of held-out images that a lane gets right.
fn accuracy_on(lab: &Lab, lane: usize, images: &HeldOut) -> f64 {
    let rows = with_rows(&lab.task, 1, &images.x, Targets::Classes(images.classes.clone()));
    accuracy(&read(lab, lane, &rows).output, &images.classes)
}

#[test]
fn digits_reach_the_prototypes_accuracies_and_forget() {
    let csv = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/www/data/digits.csv")).unwrap();
    let options = Digits::default();
    let mut config = Config { lanes: vec![(&FULL).into()], ..Default::default() };
    let task = digits(&options, config.seed.into(), &csv).unwrap();
    let rate = config.optimizer.lr;
    config.optimizer.lr = PRETRAINING_RATE;
    config.schedule = Schedule { warmup: 50, total: options.pretrain };
    let mut lab = Lab::new(config.clone(), task.pretraining(), None).unwrap();
    block_on(lab.train(options.pretrain)).unwrap();
    let upright = task.held_out_upright();
    let base = accuracy_on(&lab, 0, &upright);
    println!("base {base:.3}");
    assert!((base - 0.967).abs() <= TOLERANCE, "the base gets {base:.3} of the upright digits right");

    let expected: Vec<(&str, Lane, f64)> = vec![
        ("full", (&FULL).into(), 0.963),
        ("LoRA r1", lora(1, 2.0), 0.605),
        ("LoRA r2", lora(2, 4.0), 0.812),
        ("LoRA r4", lora(4, 8.0), 0.913),
        ("LoRA r8", lora(8, 16.0), 0.938),
        ("LoRA r16", lora(16, 32.0), 0.965),
        ("MoLoRA 4×2", molora(4, 2, 2.0), 0.897),
        ("MoLoRA 4×4", molora(4, 4, 4.0), 0.940),
        ("MoR1E 4", mor1e(4, 2.0, "pooled"), 0.899),
        ("MoR1E 8", mor1e(8, 2.0, "pooled"), 0.923),
    ];
    config.optimizer.lr = rate;
    config.schedule = Schedule { warmup: 50, total: STEPS };
    config.lanes = expected.iter().map(|(_, lane, _)| lane.clone()).collect();
    let mut lab = Lab::new(config, task.adaptation(merged_base(&lab, 0)).unwrap(), None).unwrap();
    block_on(lab.train(STEPS)).unwrap();
    let mut off = vec![];
    for (lane, (name, _, prototype)) in expected.iter().enumerate() {
        let new: Vec<f64> = task.held_out().iter().map(|images| accuracy_on(&lab, lane, images)).collect();
        let mean = new.iter().sum::<f64>() / new.len() as f64;
        let old = accuracy_on(&lab, lane, &upright);
        println!("{name}: {mean:.3} ({prototype}), upright {old:.3}");
        assert!(old < 0.75, "{name} forgot little: {old:.3} of the upright digits are still right");
        if (mean - prototype).abs() > TOLERANCE {
            off.push(format!("{name}: {mean:.3} instead of {prototype}"));
        }
    }
    assert!(off.is_empty(), "{off:#?}");
}
