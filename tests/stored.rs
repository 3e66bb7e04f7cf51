//! Frozen weights that a device stores in 16 bits give the very numbers that they give in 32.
#![cfg(not(target_arch = "wasm32"))]

mod common;

use common::lanes::{stored_as, three_layers};
use common::language::{folder, model};
use common::on;
use lora_playground::config::{Config, Lane};
use lora_playground::exec::gpu::{Device, Gpu};
use lora_playground::fixed::Stored;
use lora_playground::graph::{Buffer, Target};
use lora_playground::lab::Lab;
use lora_playground::net::share;
use lora_playground::task::text::given;
use lora_playground::task::{BaseLayer, TaskData};
use pollster::block_on;

const SHAPE: (usize, usize) = (3, 16);
const STEPS: usize = 4;

/// Passages on a model of `tests/fixtures/lm`.
fn task(name: &str) -> TaskData {
    let model = model(&folder(name), SHAPE.1);
    let count = SHAPE.0 * SHAPE.1;
    let tokens = |by: usize| (0..count).map(|at| (at * by % model.config.vocabulary) as i32).collect::<Vec<_>>();
    let (x, y) = (tokens(31), tokens(37));
    given(model, SHAPE, &x, &y).unwrap()
}

/// The same numbers in 32 bits.
fn widened(task: &TaskData) -> TaskData {
    let wide = |layer: &BaseLayer| BaseLayer { weight: layer.weight.with_stored(Stored::F32), ..layer.clone() };
    let tensors = task.tensors.iter().map(|values| values.with_stored(Stored::F32)).collect();
    TaskData { base: task.base.iter().map(wide).collect(), tensors, ..task.clone() }
}

/// All bits of what lanes come to in a few steps: losses, parameters, outputs.
fn bits(task: TaskData, device: Device) -> (Vec<u64>, Vec<u32>, Device) {
    let text = !task.network.tensors().is_empty();
    let full = Lane::from_text(if text { "full.lr0.001.embed_tokens-lm_head" } else { "full.lr0.001" }).unwrap();
    let lanes = vec![Lane::from_text("lora.r4").unwrap(), full];
    let mut lab = Lab::new(Config { lanes, ..Config::default() }, task, Some(device)).unwrap();
    block_on(lab.train(STEPS)).unwrap();
    let (mut losses, mut values) = (Vec::new(), Vec::new());
    for lane in 0..lab.lane_count() {
        losses.extend(lab.losses(lane).iter().map(|loss| loss.to_bits()));
        let names: Vec<String> = lab.tensors(lane).unwrap().into_iter().map(|tensor| tensor.name).collect();
        for name in names.into_iter().chain(["output".to_owned()]) {
            values.extend(block_on(lab.tensor(lane, &name)).unwrap().into_iter().map(f32::to_bits));
        }
    }
    assert!(losses.len() == 2 * STEPS && losses.iter().all(|&loss| f64::from_bits(loss) > 0.5));
    (losses, values, lab.into_device().unwrap())
}

/// Head tied and own; widths that kernels have padded, and not.
#[test]
fn sixteen_bits_give_the_numbers_of_thirty_two() {
    for (target, name, task, stored) in [
        (Target::Software, "tied", task("base"), Stored::Bf16),
        (Target::Gpu, "own head", task("own/qwen2_bias_sharded"), Stored::F16),
        (Target::Gpu, "padded", three_layers(), Stored::F16),
    ] {
        let task = stored_as(task, stored);
        let (expected, expected_values, held) = bits(widened(&task), on(target));
        let (losses, values, _) = bits(task, held);
        assert_eq!(losses, expected, "{name}");
        assert!(values == expected_values, "{name}");
    }
}

/// Displays of a device's buffers show numbers, however they are stored.
#[test]
fn a_stored_weight_is_read_back_as_numbers() {
    for stored in [Stored::Bf16, Stored::F16] {
        let shared = share::<f32>(&stored_as(task("base"), stored));
        let (at, values) = shared
            .buffers
            .iter()
            .map(|(_, contents)| contents)
            .enumerate()
            .find(|(_, contents)| contents.stored() == stored)
            .unwrap();
        let expected = values.to_vec();
        let gpu = Gpu::new(on(Target::Software), shared);
        let read =
            block_on(gpu.read_first(&[(0, Buffer::Shared(at), 5), (0, Buffer::Shared(at), usize::MAX)])).unwrap();
        assert_eq!(read[0][..5], expected[..5]);
        assert_eq!(read[1], expected);
    }
}

/// Few numbers take no room worth slower kernels.
#[test]
fn a_small_model_is_stored_in_thirty_two_bits() {
    let model = model(&folder("own/llama_bf16"), SHAPE.1);
    let layers = model.base.iter().map(|layer| layer.weight.stored());
    assert!(layers.chain(model.tensors.iter().map(|values| values.stored())).all(|stored| stored == Stored::F32));
}
