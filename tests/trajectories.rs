//! Every reference trajectory from PyTorch, on both backends.

mod common;

use common::{Case, assert_close, cases, device};
use lora_playground::exec::gpu::Device;
use lora_playground::lab::Lab;

async fn follow(case: &Case, device: Option<Device>) -> Option<Device> {
    let mut lab = Lab::new(case.config.clone(), case.task(), device).unwrap();
    for name in case.names("init") {
        let values = case.tensor(&format!("init.{name}")).unwrap();
        lab.set_tensor(0, &format!("layers.0.{name}"), &values).await.unwrap();
    }
    let label = |what: &str| format!("{} on {}: {what}", case.name, lab.backend());
    let before = label("output");
    assert_close(&before, &lab.tensor(0, "output").await.unwrap(), &case.tensor("output.step1").unwrap(), 1e-5, 1e-4);
    lab.train(1).await.unwrap();
    let label = |what: &str| format!("{}: {what}", case.name);
    for name in case.names("grad1") {
        let got = lab.tensor(0, &format!("layers.0.grad.{name}")).await.unwrap();
        assert_close(&label(&name), &got, &case.tensor(&format!("grad1.{name}")).unwrap(), 1e-5, 1e-4);
    }
    if let Some(gate) = case.tensor("gate.step1") {
        let got = lab.tensor(0, "layers.0.gate").await.unwrap();
        assert_close(&label("gate"), &got, &gate, 1e-5, 1e-3);
    }
    lab.train(case.losses.len() - 1).await.unwrap();
    let losses = lab.losses(0);
    assert_eq!(losses.len(), case.losses.len());
    for (t, (got, expected)) in losses.iter().zip(&case.losses).enumerate() {
        let off = (got - expected).abs() / expected;
        assert!(off < 1e-4, "{}: loss {t} is {got} instead of {expected}, {off:e} relative", case.name);
    }
    for name in case.names("final") {
        let got = lab.tensor(0, &format!("layers.0.{name}")).await.unwrap();
        let expected = case.tensor(&format!("final.{name}")).unwrap();
        for (i, (&g, &e)) in got.iter().zip(&expected).enumerate() {
            let bound = f32::max(1e-5, 1e-3 * e.abs());
            assert!((g - e).abs() <= bound, "{}: final {name}[{i}] is {g} instead of {e}", case.name);
        }
    }
    lab.into_device()
}

#[test]
fn cpu_follows_pytorch() {
    for case in cases() {
        pollster::block_on(follow(&case, None));
    }
}

#[test]
fn gpu_follows_pytorch() {
    let mut held = Some(device());
    for case in cases() {
        held = pollster::block_on(follow(&case, held.take()));
    }
}
