//! What the native tests share: PyTorch's reference cases, and devices that must be there.
#![allow(dead_code)] // Each test binary uses its part.

use lora_playground::config::{Balance, BalanceKind, Config, Gate, Lane, Method};
use lora_playground::exec::gpu::Device;
use lora_playground::task::TaskData;
use lora_playground::task::custom::{Shape, custom};
use safetensors::SafeTensors;
use serde_json::Value;

/// A case of `tests/fixtures/steps`.
pub struct Case {
    pub name: String,
    pub config: Config,
    pub losses: Vec<f64>,
    bytes: Vec<u8>,
}

impl Case {
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
        let json: Value = serde_json::from_str(&std::fs::read_to_string(path(&self.name, "json")).unwrap()).unwrap();
        let size = |k: &str| json["shape"][k].as_u64().unwrap() as usize;
        let shape =
            Shape { batch: size("batch"), sequence: size("sequence"), inputs: size("in"), outputs: size("out") };
        custom(shape, x, y, self.tensor("base.weight"), self.tensor("base.bias")).unwrap()
    }
}

fn path(name: &str, extension: &str) -> String {
    format!("{}/tests/fixtures/steps/{name}.{extension}", env!("CARGO_MANIFEST_DIR"))
}

/// All cases; there must be nine.
pub fn cases() -> Vec<Case> {
    let dir = format!("{}/tests/fixtures/steps", env!("CARGO_MANIFEST_DIR"));
    let mut names: Vec<String> = std::fs::read_dir(dir)
        .unwrap()
        .filter_map(|f| f.unwrap().file_name().to_str().and_then(|n| n.strip_suffix(".json")).map(str::to_owned))
        .collect();
    names.sort();
    assert_eq!(names.len(), 9, "the reference cases are incomplete: {names:?}");
    names.iter().map(|n| case(n)).collect()
}

fn case(name: &str) -> Case {
    let json: Value = serde_json::from_str(&std::fs::read_to_string(path(name, "json")).unwrap()).unwrap();
    let c = &json["config"];
    let int = |k: &str| c[k].as_u64().unwrap_or(0) as usize;
    let alpha = c["alpha"].as_f64().unwrap_or(1.0);
    let balance = match c.get("balance").and_then(Value::as_array) {
        Some(b) => Balance {
            kind: if b[0] == "entropy" { BalanceKind::Entropy } else { BalanceKind::Switch },
            coefficient: b[1].as_f64().unwrap(),
        },
        None => Balance { kind: BalanceKind::None, coefficient: 0.0 },
    };
    let method = match json["method"].as_str().unwrap() {
        "full" => Method::Full,
        "lora" => Method::Lora { rank: int("rank"), alpha, rslora: c["rslora"] == true },
        "molora" => Method::Molora {
            experts: int("experts"),
            rank: int("rank"),
            alpha,
            top_k: int("top_k"),
            renormalize: c["renormalize"] == true,
            balance,
        },
        "mor1e" => Method::Mor1e {
            experts: int("experts"),
            alpha,
            gate: if c["pool"] == true { Gate::Pooled } else { Gate::Token },
            hidden: Some(int("hidden")),
            balance,
        },
        other => panic!("unknown method {other}"),
    };
    let (o, s) = (&json["optimizer"], &json["schedule"]);
    let document = serde_json::json!({
        "version": 1, "task": {"kind": "custom"}, "lanes": [{"method": "full"}],
        "optimizer": {"lr": o["lr"], "beta1": o["betas"][0], "beta2": o["betas"][1], "eps": o["eps"],
                      "weight_decay": o["weight_decay"]},
        "schedule": {"warmup": s["warmup_steps"], "total": s["total_steps"]}
    });
    let mut config = Config::from_json(&document.to_string()).unwrap();
    config.lanes = vec![Lane { method, layers: None }];
    Case {
        name: name.to_owned(),
        config,
        losses: json["losses_before_each_step"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect(),
        bytes: std::fs::read(path(name, "safetensors")).unwrap(),
    }
}

/// The machine's Vulkan device; that there is none is a failure, not a reason to skip.
pub fn device() -> Device {
    pollster::block_on(Device::open()).unwrap_or_else(|e| {
        panic!("{e}\nInstall a software Vulkan driver: apt-get install mesa-vulkan-drivers libvulkan1")
    })
}

pub fn assert_close(what: &str, got: &[f32], expected: &[f32], absolute: f32, relative: f32) {
    assert_eq!(got.len(), expected.len(), "{what}: lengths differ");
    for (i, (&g, &e)) in got.iter().zip(expected).enumerate() {
        let bound = absolute + relative * e.abs();
        assert!((g - e).abs() <= bound, "{what}[{i}]: {g} instead of {e}, off by {:e} > {bound:e}", (g - e).abs());
    }
}
