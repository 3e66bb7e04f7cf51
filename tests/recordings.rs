//! What a training step is, as text: kernel by kernel with the buffers it reads and writes, for the lanes that the page
//! begins with on networks of one layer and of three, and for one of them on paths that meet. How networks are compiled may change; a step that changes with it
//! changes `fixtures/recordings.txt`, where a person sees it. `WRITE_RECORDINGS=1` writes it anew.
#![cfg(not(target_arch = "wasm32"))]

mod common;

use std::fmt::Write;

use common::lanes::residual;
use lora_playground::config::{Config, Digits, Domains, Lane, Optimizer};
use lora_playground::graph::{Access, Buffer, Pass};
use lora_playground::net::{compile, share};
use lora_playground::task::{TaskData, digits, domains};

/// `layer_forward(x, layers.0.base.weight, …) → layers.0.y`; what is bound and not used is left out.
fn line(pass: &Pass, name: &dyn Fn(Buffer) -> String) -> String {
    let about = pass.kernel;
    let of = |wanted: Access| {
        let own = about.bindings.iter().zip(&pass.buffers).filter(move |((_, access), _)| *access == wanted);
        let names: Vec<_> = own.map(|(_, &buffer)| name(buffer)).filter(|n| n != "nothing" && n != "sink").collect();
        names.join(", ")
    };
    format!("{}({}) → {}", about.name, of(Access::Read), of(Access::Write))
}

fn step(task: &TaskData, lane: &Lane) -> String {
    let shared = share::<f32>(task);
    let compiled = compile(task, lane, &Optimizer::default());
    let name = |buffer: Buffer| match buffer {
        Buffer::Shared(index) => shared.buffers[index].0.clone(),
        Buffer::Lane(index) => compiled.buffers[index].0.clone(),
    };
    compiled.train.iter().map(|pass| format!("  {}\n", line(pass, &name))).collect()
}

fn tasks() -> [(&'static str, TaskData); 3] {
    let deep = |depth| domains(&Domains { depth, ..Domains::default() }, 1).unwrap();
    let csv = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/www/data/digits.csv")).unwrap();
    [
        ("one layer", deep(1)),
        ("three layers", deep(3)),
        ("digits", digits(&Digits::default(), 1, &csv).unwrap().pretraining()),
    ]
}

#[test]
fn steps_are_those_written_down() {
    let mut text = String::new();
    for (network, task) in tasks() {
        for lane in Config::default().lanes {
            write!(text, "{} on {network}\n{}\n", lane.method.name, step(&task, &lane)).unwrap();
        }
    }
    write!(text, "lora on residual paths\n{}\n", step(&residual(), &(&lora_playground::method::LORA).into())).unwrap();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/recordings.txt");
    let expected = std::fs::read_to_string(path).unwrap_or_default();
    if std::env::var("WRITE_RECORDINGS").is_ok() {
        std::fs::write(path, text).unwrap();
        return;
    }
    for (line, (got, expected)) in text.lines().zip(expected.lines()).enumerate() {
        assert_eq!(got, expected, "line {}", line + 1);
    }
    assert_eq!(text.lines().count(), expected.lines().count());
}
