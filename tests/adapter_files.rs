//! Adapters that PEFT did not write, and bases that do not fit in memory.
#![cfg(not(target_arch = "wasm32"))]

use std::cell::Cell;
use std::fs;
use std::path::PathBuf;

use lora_playground::error::Result;
use lora_playground::files::source::Disk;
use lora_playground::files::write::{Planned, Writer};
use lora_playground::files::{Checkpoint, Dtype, Memory, Source};
use lora_playground::peft::draft::truncation;
use lora_playground::peft::edit::{Edit, edit};
use lora_playground::peft::keys::Style;
use lora_playground::peft::merge::Merge;
use lora_playground::peft::overview::overview;
use lora_playground::peft::view::{Weight, tile};
use lora_playground::peft::{Adapter, Loaded};
use pollster::block_on;

type Entry<'a> = (&'a str, Dtype, Vec<usize>, Vec<f32>);

fn write(entries: &[Entry]) -> Memory {
    let plan: Vec<Planned> = entries
        .iter()
        .map(|(name, dtype, shape, _)| Planned { name: (*name).into(), dtype: *dtype, shape: shape.clone() })
        .collect();
    let mut bytes = Vec::new();
    block_on(async {
        let mut writer = Writer::begin(&mut bytes, &plan, &Default::default()).await.unwrap();
        for (_, dtype, _, values) in entries {
            writer.values(*dtype, values).await.unwrap();
        }
        writer.end().unwrap();
    });
    Memory::new("made.safetensors", bytes)
}

fn ramp(n: usize, step: f32) -> Vec<f32> {
    (0..n).map(|i| (i as f32 - 3.0) * step).collect()
}

#[test]
fn kohyas_names_alphas_and_convolutions() {
    let file = || {
        write(&[
            ("lora_unet_down_0_to_q.lora_down.weight", Dtype::F16, vec![2, 4], ramp(8, 0.25)),
            ("lora_unet_down_0_to_q.lora_up.weight", Dtype::F16, vec![3, 2], ramp(6, 0.5)),
            ("lora_unet_down_0_to_q.alpha", Dtype::F16, vec![], vec![1.0]),
            ("lora_unet_conv_in.lora_down.weight", Dtype::F32, vec![2, 2, 3, 3], ramp(36, 0.1)),
            ("lora_unet_conv_in.lora_up.weight", Dtype::F32, vec![5, 2, 1, 1], ramp(10, 0.1)),
            ("lora_unet_conv_in.alpha", Dtype::F32, vec![1], vec![4.0]),
            ("lora_unet_conv_out.lora_mid.weight", Dtype::F32, vec![1], vec![4.0]),
        ])
    };
    let adapter = block_on(Adapter::open(file(), None)).unwrap();
    assert_eq!(adapter.style, Style::Plain);
    assert_eq!(adapter.not_understood, ["lora_unet_conv_out.lora_mid.weight: lora_A and lora_B are not both there"]);
    let scalings: Vec<_> = adapter.modules.iter().map(|m| (m.name.as_str(), m.scaling)).collect();
    assert_eq!(scalings, [("lora_unet_conv_in", 2.0), ("lora_unet_down_0_to_q", 0.5)]);

    let base = || {
        write(&[
            ("down.0.to_q.weight", Dtype::F32, vec![3, 4], vec![1.0; 12]),
            ("conv_in.weight", Dtype::F8E5M2, vec![5, 2, 3, 3], vec![0.0; 90]),
            ("steps", Dtype::F64, vec![1], vec![7.0]),
        ])
    };
    let base = block_on(Checkpoint::open(vec![base()])).unwrap();
    let loaded = block_on(Loaded::module(&adapter, &adapter.modules[1], Some(&base))).unwrap();
    let merged = block_on(loaded.merged_rows(0..3)).unwrap().unwrap();
    // 1 + 0.5 (−1.5·−0.75 + −1·0.25), by hand.
    assert!((merged[0] - 1.4375).abs() < 1e-12, "{}", merged[0]);
    let row = block_on(overview(&adapter, Some(&base), 0)).unwrap().unwrap();
    assert_eq!((row.shape, row.base_norm, row.singular.len()), ((5, 18), Some(0.0), 2));
    let mut out = Vec::new();
    let report = block_on(Merge::new(&adapter, &base).unwrap().write(0, &mut out, &mut |_| true)).unwrap();
    assert_eq!((report.changed, report.not_finite.len()), (2, 0));
    let written = block_on(Checkpoint::open(vec![Memory::new("merged", out)])).unwrap();
    assert_eq!(block_on(written.read("steps")).unwrap().values, [7.0]);

    // Saved in its own style, its alphas follow.
    let draft = edit(&adapter, &Edit { rank: Some(1), scale: 2.0, ..Edit::default() }).unwrap();
    assert!(draft.config().is_none());
    let mut out = Vec::new();
    block_on(draft.write(&mut out, &mut |_| true)).unwrap();
    let again = block_on(Adapter::open(Memory::new("again", out), None)).unwrap();
    assert!(again.not_understood.is_empty());
    let module = &again.modules[0];
    assert_eq!((module.rank, module.scaling, module.a_shape.as_slice()), (1, 4.0, &[1, 2, 3, 3][..]));
    let after = block_on(overview(&again, None::<&Checkpoint<Memory>>, 0)).unwrap().unwrap();
    assert!((after.singular[0] / row.singular[0] - 2.0).abs() < 1e-6);
    assert!((truncation(&row.singular)[1] - row.singular[1] / row.norm.unwrap()).abs() < 1e-12);
}

#[test]
fn values_that_are_not_numbers_are_said() {
    let file = write(&[
        ("m.lora_A.weight", Dtype::F32, vec![1, 2], vec![f32::NAN, 1.0]),
        ("m.lora_B.weight", Dtype::F32, vec![2, 1], vec![1.0, 1.0]),
    ]);
    let adapter = block_on(Adapter::open(file, None)).unwrap();
    let row = block_on(overview(&adapter, None::<&Checkpoint<Memory>>, 0)).unwrap().unwrap();
    assert!(row.not_finite && row.norm.is_none() && row.singular.is_empty());
    let base = write(&[("m.weight", Dtype::F32, vec![2, 2], vec![0.0; 4])]);
    let base = block_on(Checkpoint::open(vec![base])).unwrap();
    let report = block_on(Merge::new(&adapter, &base).unwrap().write(0, &mut Vec::new(), &mut |_| true)).unwrap();
    assert_eq!(report.not_finite, ["m.weight"]);
}

#[test]
fn factors_that_do_not_fit_are_listed_by_name() {
    let file = write(&[
        ("a.lora_A.weight", Dtype::F32, vec![2, 2], vec![1.0; 4]),
        ("a.lora_B.weight", Dtype::F32, vec![2, 3], vec![1.0; 6]),
        ("b.lora_A.weight", Dtype::F32, vec![1, 2], vec![1.0; 2]),
        ("c.lora_A.weight", Dtype::F32, vec![0, 1 << 40], vec![]),
        ("c.lora_B.weight", Dtype::F32, vec![1 << 22, 0], vec![]),
        ("d.lora_A.weight", Dtype::F32, vec![1, 2], vec![1.0; 2]),
        ("d.lora_B.weight", Dtype::F32, vec![2, 1], vec![1.0; 2]),
        ("e.lora_A.weight", Dtype::F32, vec![0, 1 << 20], vec![]),
        ("e.lora_B.weight", Dtype::F32, vec![1 << 20, 0], vec![]),
    ]);
    let adapter = block_on(Adapter::open(file, None)).unwrap();
    assert_eq!(adapter.modules.iter().map(|m| m.name.as_str()).collect::<Vec<_>>(), ["d"]);
    let expected = [
        "a.lora_A.weight: lora_A [2, 2] and lora_B [2, 3] do not belong together",
        "b.lora_A.weight: lora_A and lora_B are not both there",
        "c.lora_A.weight: lora_A [0, 1099511627776] and lora_B [4194304, 0] are larger than any model's",
        "e.lora_B.weight: lora_A [0, 1048576] and lora_B [1048576, 0] are larger than any model's",
    ];
    for line in expected {
        assert!(
            adapter.not_understood.iter().any(|found| found == line),
            "{line} is not in {:?}",
            adapter.not_understood
        );
    }
}

/// A file of which it is known how much was read.
struct Counted(Disk, Cell<u64>);

impl Source for Counted {
    fn name(&self) -> &str {
        self.0.name()
    }
    fn size(&self) -> u64 {
        self.0.size()
    }
    async fn read(&self, start: u64, length: usize) -> Result<Vec<u8>> {
        self.1.set(self.1.get() + length as u64);
        self.0.read(start, length).await
    }
}

struct Removed(PathBuf);

impl Drop for Removed {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn a_base_of_six_gigabytes_is_opened_without_being_read() {
    let plan: Vec<Planned> = (0..180)
        .map(|layer| Planned {
            name: format!("model.layers.{layer}.self_attn.q_proj.weight"),
            dtype: Dtype::F16,
            shape: vec![4096, 4096],
        })
        .collect();
    let mut header = Vec::new();
    block_on(Writer::begin(&mut header, &plan, &Default::default())).unwrap();
    let path = std::env::temp_dir().join(format!("lora-playground-{}.safetensors", std::process::id()));
    let path = Removed(path);
    fs::write(&path.0, &header).unwrap();
    let size = header.len() as u64 + 180 * 4096 * 4096 * 2;
    // Sparse: it has the size, but no blocks.
    fs::File::options().write(true).open(&path.0).unwrap().set_len(size).unwrap();
    assert!(size > 6_000_000_000);

    let base = block_on(Checkpoint::open(vec![Counted(Disk::open(&path.0).unwrap(), Cell::new(0))])).unwrap();
    assert_eq!(base.tensors().count(), 180);
    assert_eq!(base.shards[0].source.1.get(), header.len() as u64, "the header, once, and nothing else");
    let rows = block_on(base.read_rows("model.layers.179.self_attn.q_proj.weight", 4090..4096)).unwrap();
    assert_eq!((rows.len(), base.shards[0].source.1.get()), (6 * 4096, header.len() as u64 + 6 * 4096 * 2));
}

#[test]
fn rows_without_values_cost_nothing_however_many() {
    let many = usize::MAX / 4;
    let file = || {
        write(&[
            ("base_model.model.q.lora_A.weight", Dtype::F32, vec![2, 4], ramp(8, 0.25)),
            ("base_model.model.q.lora_B.weight", Dtype::F32, vec![3, 2], ramp(6, 0.5)),
            ("base_model.model.head.weight", Dtype::F32, vec![many, 0], vec![]),
        ])
    };
    let adapter = block_on(Adapter::open(file(), Some(br#"{"peft_type":"LORA","r":2}"#))).unwrap();
    let base = write(&[
        ("q.weight", Dtype::F32, vec![3, 4], vec![1.0; 12]),
        ("head.weight", Dtype::F32, vec![many, 0], vec![]),
    ]);
    let base = block_on(Checkpoint::open(vec![base])).unwrap();
    assert_eq!(adapter.targets(), 2);
    for at in 0..adapter.targets() {
        let measured = block_on(overview(&adapter, Some(&base), at)).unwrap().unwrap();
        assert_eq!(measured.norm.unwrap() > 0.0, measured.name == "q");
        let loaded = block_on(Loaded::of(&adapter, adapter.target(at).unwrap(), Some(&base))).unwrap();
        block_on(tile(&loaded, Weight::Change, (0..many, 0..many), (8, 8), &mut async || Ok(()))).unwrap();
    }
    let mut out = Vec::new();
    block_on(edit(&adapter, &Edit::default()).unwrap().write(&mut out, &mut |_| true)).unwrap();
    let again = block_on(Adapter::open(Memory::new("written", out), None)).unwrap();
    assert_eq!(again.named("head.weight").unwrap().shape(), (many, 0));
    let mut merged = Vec::new();
    block_on(Merge::new(&adapter, &base).unwrap().write(0, &mut merged, &mut |_| true)).unwrap();
    block_on(Checkpoint::open(vec![Memory::new("merged", merged)])).unwrap();
}
