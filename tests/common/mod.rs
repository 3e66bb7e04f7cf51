//! What the tests share: PyTorch's reference cases, and devices that must be there.
#![allow(dead_code)] // Each test binary uses its part.

pub mod lanes;
pub mod language;
pub mod rows;

use lora_playground::config::Config;
use lora_playground::exec::gpu::Device;
use lora_playground::graph::Target;
use lora_playground::lab::Lab;
use lora_playground::method::METHODS;
use lora_playground::task::TaskData;
use lora_playground::task::custom::{Shape, custom};
use safetensors::SafeTensors;
use serde_json::{Value, json};

/// A case of `tests/fixtures/steps` or `tests/fixtures/variants`.
pub struct Case {
    pub name: String,
    pub config: Config,
    pub losses: Vec<f64>,
    json: Value,
    bytes: Vec<u8>,
}

impl Case {
    /// A case from its two files.
    pub fn parse(name: &str, text: &str, bytes: Vec<u8>) -> Self {
        let json: Value = serde_json::from_str(text).unwrap();
        let (o, s) = (&json["optimizer"], &json["schedule"]);
        let document = json!({
            "version": 1, "task": {"kind": "custom"}, "lanes": [lane(&json)],
            "optimizer": {"lr": o["lr"], "beta1": o["betas"][0], "beta2": o["betas"][1], "eps": o["eps"],
                          "weight_decay": o["weight_decay"]},
            "schedule": {"warmup": s["warmup_steps"], "total": s["total_steps"]}
        });
        let config = Config::from_json(&document.to_string()).unwrap();
        let losses = json["losses_before_each_step"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
        Self { name: name.to_owned(), config, losses, json, bytes }
    }

    pub fn tensor(&self, name: &str) -> Option<Vec<f32>> {
        let file = SafeTensors::deserialize(&self.bytes).unwrap();
        let tensor = file.tensor(name).ok()?;
        Some(tensor.data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect())
    }

    /// Names below a prefix: "init" gives lora_A, lora_B, ….
    pub fn names(&self, prefix: &str) -> Vec<String> {
        let file = SafeTensors::deserialize(&self.bytes).unwrap();
        let prefix = format!("{prefix}.");
        file.names().iter().filter_map(|n| n.strip_prefix(&prefix).map(str::to_owned)).collect()
    }

    pub fn task(&self) -> TaskData {
        let (x, y) = (self.tensor("x").unwrap(), self.tensor("y").unwrap());
        let size = |k: &str| self.json["shape"][k].as_u64().unwrap() as usize;
        let shape =
            Shape { batch: size("batch"), sequence: size("sequence"), inputs: size("in"), outputs: size("out") };
        custom(shape, x, y, self.tensor("base.weight"), self.tensor("base.bias")).unwrap()
    }
}

/// A case's lane as a document has it. The case's own is the same but for where its method stands, how its gate is pooled,
/// its balance term, and a rank of 1 that MoR1E need not name.
fn lane(case: &Value) -> Value {
    let mut lane = case["config"].clone();
    let map = lane.as_object_mut().unwrap();
    map.entry("method").or_insert_with(|| case["method"].clone());
    if map["method"] == "mor1e" {
        assert_eq!(map.remove("rank"), Some(json!(1)));
    }
    if let Some(pool) = map.remove("pool") {
        map.insert("gate".into(), if pool == true { "pooled" } else { "token" }.into());
    }
    if let Some(term) = map.get_mut("balance") {
        *term = json!({"kind": term[0], "coefficient": term[1]});
    }
    lane
}

/// All cases: those of the methods and those of their variants. Every method has one.
pub fn cases() -> Vec<Case> {
    let all: Vec<Case> = ["steps", "variants"].into_iter().flat_map(of).collect();
    assert!(all.len() >= 23, "the reference cases are incomplete: {} are left", all.len());
    for method in METHODS {
        let of_it = |case: &Case| std::ptr::eq(case.config.lanes[0].method, *method);
        assert!(all.iter().any(of_it), "{} has no reference case", method.name);
    }
    all
}

/// All that a folder holds.
fn of(folder: &str) -> Vec<Case> {
    let dir = format!("{}/tests/fixtures/{folder}", env!("CARGO_MANIFEST_DIR"));
    let path = |name: &str, extension: &str| format!("{dir}/{name}.{extension}");
    let mut files: Vec<String> =
        std::fs::read_dir(&dir).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    files.sort();
    let names: Vec<&str> = files.iter().filter_map(|file| file.strip_suffix(".json")).collect();
    let used: Vec<String> =
        names.iter().flat_map(|name| [".json", ".safetensors"].map(|end| format!("{name}{end}"))).collect();
    assert_eq!(files, used, "a case of {folder} is two files, and there is nothing else");
    let read = |name: &&str| {
        let text = std::fs::read_to_string(path(name, "json")).unwrap();
        Case::parse(name, &text, std::fs::read(path(name, "safetensors")).unwrap())
    };
    names.iter().map(read).collect()
}

/// Trains `case` and compares all that PyTorch recorded. Returns the device.
pub async fn follow(case: &Case, device: Option<Device>) -> Option<Device> {
    let mut lab = Lab::new(case.config.clone(), case.task(), device).unwrap();
    for name in case.names("init") {
        let values = case.tensor(&format!("init.{name}")).unwrap();
        lab.set_tensor(0, &format!("layers.0.{name}"), &values).await.unwrap();
    }
    let label = |what: &str| format!("{} on {}: {what}", case.name, lab.backend());
    let before = label("output");
    // Steps that draw noise or ranks have an output of their own.
    if let Some(expected) = case.tensor("output.step1") {
        assert_close(&before, &lab.tensor(0, "output").await.unwrap(), &expected, 1e-5, 1e-4);
    }
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

/// The machine's Vulkan device; that there is none is a failure, not a reason to skip.
pub fn device() -> Device {
    pollster::block_on(Device::open()).unwrap_or_else(|e| {
        panic!("{e}\nInstall a software Vulkan driver: apt-get install mesa-vulkan-drivers libvulkan1")
    })
}

/// The same with kernels for `target`, whatever it is.
pub fn on(target: Target) -> Device {
    device().with_target(target).unwrap_or_else(|e| panic!("{e}"))
}

pub fn assert_close(what: &str, got: &[f32], expected: &[f32], absolute: f32, relative: f32) {
    assert_eq!(got.len(), expected.len(), "{what}: lengths differ");
    for (i, (&g, &e)) in got.iter().zip(expected).enumerate() {
        let bound = absolute + relative * e.abs();
        assert!((g - e).abs() <= bound, "{what}[{i}]: {g} instead of {e}, off by {:e} > {bound:e}", (g - e).abs());
    }
}
