use lora_playground::config::Config;
use lora_playground::exec::cpu::Cpu;
use lora_playground::graph::Step;
use lora_playground::net::{compile, share};
use std::collections::BTreeMap;
use std::time::Instant;
fn main() {
    let method = std::env::args().nth(1).unwrap_or("lora".into());
    let lane = if method == "lora" {
        r#"{"method":"lora","rank":8,"alpha":16}"#
    } else {
        r#"{"method":"molora","rank":2,"experts":4,"alpha":4}"#
    };
    let config = Config::from_json(&format!(r#"{{"version":1,"task":{{"kind":"text"}},"lanes":[{lane}]}}"#)).unwrap();
    let lora_playground::config::Task::Text(text) = &config.task else { panic!() };
    let (task, _) = pollster::block_on(lora_playground::task::text::small(text, 1, async |name: &str| {
        Ok(std::fs::read(format!("www/data/{name}")).unwrap())
    }))
    .unwrap();
    let compiled = compile(&task, &config.lanes[0], &config.optimizer);
    let params = vec![0.01f32; compiled.padded];
    let mut cpu = Cpu::<f32>::new(share(&task));
    cpu.set_lane(0, compile(&task, &config.lanes[0], &config.optimizer), &params);
    let step = Step { rate: 1e-4, decay: 1.0, inv_sqrt_bias2: 1.0, ..Default::default() };
    let mut by: BTreeMap<String, (usize, f64)> = BTreeMap::new();
    let runs = 20;
    for run in 0..runs + 2 {
        for pass in &compiled.train {
            let t = Instant::now();
            cpu.pass(0, pass, &step);
            let e = t.elapsed().as_secs_f64() * 1e3;
            if run >= 2 {
                let d = if pass.kernel.name.starts_with("layer") {
                    format!(" {}x{}", pass.dims[1], pass.dims[2])
                } else {
                    String::new()
                };
                let x = by.entry(format!("{}{d}", pass.kernel.name)).or_default();
                x.0 += 1;
                x.1 += e;
            }
        }
    }
    let mut all: Vec<_> = by.into_iter().collect();
    all.sort_by(|a, b| b.1.1.total_cmp(&a.1.1));
    println!("{:.1} ms", all.iter().map(|a| a.1.1).sum::<f64>() / runs as f64);
    for (name, (n, ms)) in all {
        println!("{:8.3} ms  {:3} × {:.3} {name}", ms / runs as f64, n / runs, ms / n as f64);
    }
}
