//! Rank and number of experts changed in the middle of training, on both backends; and runs that change device.

mod common;

use common::device;
use lora_playground::config::Config;
use lora_playground::exec::gpu::Device;
use lora_playground::lab::Lab;
use lora_playground::lab::prepare::{Source, prepare};
use nalgebra::DMatrix;

const BEFORE: usize = 150;

async fn lab(lane: &str, device: Option<Device>) -> Lab {
    let text = format!(
        r#"{{"version":1,"task":{{"kind":"domains","dim":20,"domains":2,"true_rank":3,"conflict":false,"batch":16}},
            "lanes":[{lane}],"schedule":{{"warmup":10,"total":600}}}}"#
    );
    let config = Config::from_json(&text).unwrap();
    prepare(config, device, Source::None, async |_| ()).await.unwrap().lab
}

const LORA: &str = r#"{"method":"lora","rank":6,"alpha":16}"#;
const RSLORA: &str = r#"{"method":"lora","rank":6,"alpha":8,"rslora":true}"#;
const MOLORA: &str = r#"{"method":"molora","experts":3,"rank":4,"alpha":4}"#;
const MOR1E: &str = r#"{"method":"mor1e","experts":6,"alpha":2}"#;

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

async fn grows(lane: &str, to: usize, device: Option<Device>) {
    let mut lab = lab(lane, device).await;
    lab.train(BEFORE).await.unwrap();
    let before = lab.tensor(0, "output").await.unwrap();
    lab.set_rank(0, to).await.unwrap();
    let after = lab.tensor(0, "output").await.unwrap();
    let largest = before.iter().fold(0.0f32, |m, v| m.max(v.abs()));
    let off = before.iter().zip(&after).fold(0.0f32, |m, (b, a)| m.max((b - a).abs()));
    assert!(off <= 1e-6 * largest, "{lane} to {to} on {}: {off:e} of {largest}", lab.backend());
    assert_eq!(lab.step(), BEFORE);
    goes_on(lane, &mut lab).await;
}

async fn goes_on(lane: &str, lab: &mut Lab) {
    lab.train(20).await.unwrap();
    lab.train(280).await.unwrap();
    let losses = lab.losses(0);
    assert_eq!(losses.len(), BEFORE + 300);
    assert!(losses.iter().all(|l| l.is_finite()));
    let (then, now) = (mean(&losses[BEFORE..BEFORE + 20]), mean(&losses[BEFORE + 280..]));
    assert!(now < then, "{lane} on {}: {then} to {now}", lab.backend());
}

#[test]
fn growing_keeps_the_output() {
    pollster::block_on(async {
        for (lane, to) in [(LORA, 9), (RSLORA, 17), (MOLORA, 7), (MOR1E, 9)] {
            grows(lane, to, None).await;
            grows(lane, to, Some(device())).await;
        }
    });
}

/// ΔW of expert `e`, `s B A`.
async fn change(lab: &Lab, e: usize, rank: usize, scale: f64) -> DMatrix<f64> {
    let (a, b) = (lab.tensor(0, "layers.0.lora_A").await.unwrap(), lab.tensor(0, "layers.0.lora_B").await.unwrap());
    let a = DMatrix::from_fn(rank, 20, |r, i| f64::from(a[(e * rank + r) * 20 + i]));
    let b = DMatrix::from_fn(20, rank, |o, r| f64::from(b[(e * 20 + o) * rank + r]));
    b * a * scale
}

async fn shrinks(lane: &str, experts: usize, from: usize, to: usize, alpha: f64, device: Option<Device>) {
    let mut lab = lab(lane, device).await;
    lab.train(BEFORE).await.unwrap();
    let scale = |rank: usize| if lane == RSLORA { alpha / (rank as f64).sqrt() } else { alpha / rank as f64 };
    let mut expected = Vec::new();
    for e in 0..experts {
        let mut svd = change(&lab, e, from, scale(from)).await.svd(true, true);
        assert!(svd.singular_values[to] > 1e-3, "nothing is cut: {}", svd.singular_values);
        svd.singular_values.rows_mut(to, 20 - to).fill(0.0);
        expected.push(svd.recompose().unwrap());
    }
    lab.set_rank(0, to).await.unwrap();
    for (e, expected) in expected.iter().enumerate() {
        let off = (change(&lab, e, to, scale(to)).await - expected).norm();
        assert!(off < 1e-5 * expected.norm(), "{lane}, expert {e} on {}: {off:e}", lab.backend());
    }
    goes_on(lane, &mut lab).await;
}

#[test]
fn shrinking_is_the_truncated_svd() {
    pollster::block_on(async {
        for (lane, experts, from, to, alpha) in [(LORA, 1, 6, 3, 16.0), (RSLORA, 1, 6, 4, 8.0), (MOLORA, 3, 4, 2, 4.0)]
        {
            shrinks(lane, experts, from, to, alpha, None).await;
            shrinks(lane, experts, from, to, alpha, Some(device())).await;
        }
    });
}

#[test]
fn fewer_experts_are_some_of_the_old_ones() {
    pollster::block_on(async {
        for device in [None, Some(device())] {
            let mut lab = lab(MOR1E, device).await;
            lab.train(BEFORE).await.unwrap();
            let before = lab.tensor(0, "layers.0.u").await.unwrap();
            let w1 = lab.tensor(0, "layers.0.intuition.w1").await.unwrap();
            lab.set_rank(0, 4).await.unwrap();
            let after = lab.tensor(0, "layers.0.u").await.unwrap();
            assert_eq!(after.len(), 4 * 20);
            assert!(after.chunks(20).all(|row| before.chunks(20).any(|old| old == row)));
            assert_eq!(lab.tensor(0, "layers.0.intuition.w1").await.unwrap(), w1);
            goes_on(MOR1E, &mut lab).await;
        }
    });
}

#[test]
fn what_cannot_be_is_refused() {
    pollster::block_on(async {
        let mut full = lab(r#"{"method":"full"}"#, None).await;
        let error = full.set_rank(0, 4).await.unwrap_err().to_string();
        assert!(error.contains("full fine-tuning has no rank"), "{error}");
        assert!(full.set_rank(1, 4).await.unwrap_err().to_string().contains("lane"));
        let mut mixture = lab(MOLORA, None).await;
        for rank in [0, 171, 513] {
            let error = mixture.set_rank(0, rank).await.unwrap_err().to_string();
            assert!(error.contains(&rank.to_string()), "{error}");
        }
        assert_eq!(mixture.lane(0).settings.whole("rank"), 4);
    });
}

#[test]
fn a_restored_run_is_the_same_run() {
    pollster::block_on(async {
        for on_gpu in [false, true] {
            let open = || on_gpu.then(device);
            let mut whole = lab(MOLORA, open()).await;
            whole.train(60).await.unwrap();
            let snapshot = whole.snapshot().await.unwrap();
            whole.train(40).await.unwrap();
            let (losses, b) = (whole.losses(0).to_vec(), whole.tensor(0, "layers.0.lora_B").await.unwrap());
            whole.restore(open(), &snapshot).unwrap();
            assert_eq!((whole.step(), whole.losses(0).len()), (60, 60));
            whole.train(40).await.unwrap();
            assert_eq!(whole.losses(0), losses);
            assert_eq!(whole.tensor(0, "layers.0.lora_B").await.unwrap(), b);
        }
    });
}
