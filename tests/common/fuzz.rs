//! Files that nobody should trust, made from real ones and from nothing, and everything that a person might do with
//! them. A run must end in an answer or an error: no panic, no read outside the file, no read larger than it.

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use lora_playground::error::Result;
use lora_playground::files::{Checkpoint, Memory, Source};
use lora_playground::peft::combine::{Combination, combine};
use lora_playground::peft::compare::{compare, pairs};
use lora_playground::peft::draft::stopped;
use lora_playground::peft::edit::{Edit, edit};
use lora_playground::peft::intruders::{Search, intruders};
use lora_playground::peft::merge::Merge;
use lora_playground::peft::overview::{outliers, overview, totals};
use lora_playground::peft::view::{Weight, directions, survey, tile};
use lora_playground::peft::{Adapter, Loaded};
use lora_playground::rng::Rng;
use pollster::block_on;

use crate::cases::{CASES, file};

/// A source that checks what is asked of it, and adds up what it handed out.
#[derive(Clone)]
pub struct Watched {
    inner: Memory,
    read: Rc<Cell<u64>>,
}

impl Watched {
    fn new(bytes: &[u8]) -> Self {
        Self { inner: Memory::new("fuzz", bytes), read: Rc::default() }
    }
}

impl Source for Watched {
    fn name(&self) -> &str {
        self.inner.name()
    }
    fn size(&self) -> u64 {
        self.inner.size()
    }
    async fn read(&self, start: u64, length: usize) -> Result<Vec<u8>> {
        let end = start.checked_add(length as u64).expect("a range that overflows");
        assert!(end <= self.size(), "{start}+{length} lies outside {} bytes", self.size());
        self.read.set(self.read.get() + length as u64);
        self.inner.read(start, length).await
    }
}

/// How far runs got, so that a fuzzer that only ever meets the first check is seen.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reached {
    pub runs: u64,
    pub headers: u64,
    pub configs: u64,
    pub adapters: u64,
    pub written: u64,
    pub merged: u64,
}

/// An adapter's files, and its base's, where it has one of its own.
type Seed = (Vec<u8>, Vec<u8>, Option<Vec<u8>>);

pub struct Fuzz {
    rng: Rng,
    seeds: Vec<Seed>,
    base: Checkpoint<Memory>,
    pub reached: Reached,
}

/// Adapters as people have them, and the files that are taken for adapters.
fn people() -> Vec<Seed> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let folders = ["adapter_cases", "adapter_own"].map(|name| fs::read_dir(fixtures.join(name)).unwrap());
    let mut folders: Vec<_> = folders.into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
    // The order is the disk's, and a run should be the same anywhere.
    folders.sort();
    let seed = |folder: &PathBuf| {
        let read = |name| fs::read(folder.join(name));
        let config = read("adapter_config.json").unwrap_or_default();
        Some((read("adapter_model.safetensors").ok()?, config, read("base.safetensors").ok()))
    };
    folders.iter().filter_map(seed).collect()
}

impl Fuzz {
    /// From PEFT's reference cases, and a base that some of them fit.
    pub fn of_cases(seed: u64) -> Self {
        let case =
            |name| (file(name, "adapter/adapter_model.safetensors"), file(name, "adapter/adapter_config.json"), None);
        let seeds = CASES.into_iter().map(case).chain(people()).collect();
        let base = Memory::new("base", file("llama_lora", "base/model.safetensors"));
        let base = block_on(Checkpoint::open(vec![base])).unwrap();
        Self { rng: Rng::new(seed, 77), seeds, base, reached: Reached::default() }
    }

    pub fn run(&mut self) {
        self.reached.runs += 1;
        let pick = self.rng.below(self.seeds.len());
        let (mut file, mut config, own) = self.seeds[pick].clone();
        if self.rng.below(3) == 0 {
            // From nothing, with the format's own words.
            file = self.invented();
        } else if self.rng.below(40) == 0 {
            let starts: [&[u8]; 5] = [b"PK\x03\x04", b"\x80\x02", b"GGUF", b"\xef\xbb\xbf{", b"<!DOCTYPE html>"];
            let start = starts[self.rng.below(starts.len())];
            drop(file.splice(..start.len().min(file.len()), start.iter().copied()));
        }
        let own = own.and_then(|mut own| {
            if self.rng.below(3) == 0 {
                let end = header_end(&own);
                self.damage(&mut own, end);
            }
            block_on(Checkpoint::open(vec![Memory::new("base", own)])).ok()
        });
        for _ in 0..self.rng.below(4) {
            // Mostly in the header, or all damage would be to values.
            let end = if self.rng.below(4) > 0 { header_end(&file) } else { file.len() };
            self.damage(&mut file, end);
        }
        if self.rng.below(2) == 0 {
            let end = config.len();
            self.damage(&mut config, end);
        }
        let config = (self.rng.below(5) > 0 && !config.is_empty()).then_some(config);
        self.open(&file, config.as_deref(), own.as_ref());
    }

    fn open(&mut self, file: &[u8], config: Option<&[u8]>, own: Option<&Checkpoint<Memory>>) {
        let source = Watched::new(file);
        let watched = source.clone();
        if block_on(Checkpoint::open(vec![source.clone()])).is_ok() {
            self.reached.headers += 1;
        }
        assert!(watched.read.get() <= file.len() as u64);
        if config.is_some_and(|text| lora_playground::peft::AdapterConfig::parse(text).is_ok()) {
            self.reached.configs += 1;
        }
        let index = config.unwrap_or(file);
        let _ = block_on(Checkpoint::open_sharded(index, vec![source.clone()]));
        let Ok(mut adapter) = block_on(Adapter::open(source, config)) else {
            return;
        };
        let base = own.cloned().unwrap_or_else(|| self.base.clone());
        if self.rng.below(2) == 0 {
            adapter.take_shapes(&base);
        }
        self.reached.adapters += 1;
        let _ = adapter.remarks();
        self.use_it(&adapter, &base);
    }

    fn use_it(&mut self, adapter: &Adapter<Watched>, all: &Checkpoint<Memory>) {
        let base = (self.rng.below(2) == 0).then_some(all);
        let count = adapter.targets();
        let table: Vec<_> = (0..count.min(6)).filter_map(|at| block_on(overview(adapter, base, at)).ok()?).collect();
        let _ = (totals(&table), outliers(&table));
        if adapter.modules.is_empty() {
            return;
        }
        let module = &adapter.modules[self.rng.below(adapter.modules.len())];
        if let Ok(loaded) = block_on(Loaded::module(adapter, module, base)) {
            let range = |rng: &mut Rng| rng.below(40)..rng.below(40);
            let part = (range(&mut self.rng), range(&mut self.rng));
            let _ = block_on(tile(&loaded, Weight::Merged, part.clone(), (5, 5), &mut async || Ok(())));
            let _ = block_on(tile(&loaded, Weight::Change, part, (5, 5), &mut async || Ok(())));
            let _ = directions(&loaded, 2);
            // Two small factors may make a huge weight: whoever looks at all of it may stop.
            let mut blocks = 0;
            let mut going = async || {
                blocks += 1;
                if blocks < 3 { Ok(()) } else { Err(stopped()) }
            };
            let _ = block_on(survey(&loaded, Weight::Change, (5, 5), &mut going));
            let search = Search { top: 3, held: 1 << 8 };
            if loaded.rows.max(loaded.columns) < 1 << 6 {
                let _ = block_on(intruders(&loaded, search, &mut async |_| Ok(())));
            }
        }
        if self.rng.below(4) > 0 {
            return;
        }
        for (_, first, second) in pairs(adapter, adapter).into_iter().take(2) {
            if let (Some(first), Some(second)) = (first, second) {
                let _ = block_on(compare((adapter, &adapter.modules[first]), (adapter, &adapter.modules[second])));
            }
        }
        let change = Edit { rank: Some(1 + self.rng.below(3)), scale: 0.5, ..Edit::default() };
        let drafts = [edit(adapter, &change), combine(&[(adapter, 1.0), (adapter, -2.0)], Combination::Cat, None)];
        for draft in drafts.into_iter().flatten() {
            let mut out = Vec::new();
            let _ = draft.config();
            if block_on(draft.write(&mut out, &mut |_| true)).is_ok() {
                self.reached.written += 1;
                block_on(Checkpoint::open(vec![Memory::new("written", out)])).expect("what was written is read");
            }
        }
        if let Ok(merge) = Merge::new(adapter, all) {
            let mut out = Vec::new();
            if block_on(merge.write(0, &mut out, &mut |_| true)).is_ok() {
                self.reached.merged += 1;
                block_on(Checkpoint::open(vec![Memory::new("merged", out)])).expect("what was merged is read");
            }
        }
    }

    /// A file of a few tensors whose names, shapes and places are often, but not always, in order.
    fn invented(&mut self) -> Vec<u8> {
        let endings = [
            "lora_A.weight",
            "lora_B.weight",
            "lora_A",
            "lora_B",
            "lora_E",
            "lora_down.weight",
            "lora_up.weight",
            "alpha",
            "lora_embedding_A",
            "lora_embedding_B",
            "lora_magnitude_vector",
            "lora_B.bias",
            "base_layer.weight",
            "lora_A.default.weight",
            "lora_B.default.weight",
            "base_layer.lora_A.weight",
            "base_layer.lora_B.weight",
            "lora_mid.weight",
            "lora_a",
            "lora_b",
            "dora_scale",
            "diff",
            "diff_b",
            "token_adapter.trainable_tokens_delta",
            "modules_to_save.default.weight",
            "processor.to_q_lora.down.weight",
            "processor.to_q_lora.up.weight",
            "vera_lambda_b",
            "vera_lambda_d",
            "weight",
            "bias",
            "x",
        ];
        let dtypes =
            [("F32", 4), ("F16", 2), ("BF16", 2), ("F8_E4M3", 1), ("F8_E5M2", 1), ("F64", 8), ("I64", 8), ("F4", 1)];
        let mut header = Vec::new();
        let mut at = 0u64;
        let rank = self.rng.below(4);
        for module in 0..1 + self.rng.below(2) {
            for _ in 0..1 + self.rng.below(5) {
                let (mut dtype, mut bytes) = dtypes[0];
                if self.rng.below(3) == 0 {
                    (dtype, bytes) = dtypes[self.rng.below(dtypes.len())];
                }
                let ending = endings[self.rng.below(endings.len())];
                let downs = ["lora_A", "lora_down", "lora_embedding_A", "lora_E", "lora_b", "base_layer.lora_A"];
                let down = downs.iter().any(|d| ending.starts_with(d)) || ending.ends_with("down.weight");
                let mut shape = if down { vec![rank, 3] } else { vec![3, rank] };
                match self.rng.below(12) {
                    0 => shape = vec![],
                    1 => shape.push(1),
                    2 => shape = vec![1],
                    3 => shape[0] = 1 << self.rng.below(60),
                    4 => shape = vec![0, 1 << self.rng.below(30)],
                    _ => {}
                }
                let mut size = shape.iter().product::<usize>() as u64 * bytes;
                if self.rng.below(20) == 0 {
                    size = size.wrapping_sub(self.rng.below(9) as u64);
                }
                let end = at.saturating_add(size);
                header.push(format!(
                    r#""base_model.model.m.{module}.{ending}":{{"dtype":"{dtype}","shape":{shape:?},"data_offsets":[{at},{end}]}}"#
                ));
                at = end;
            }
        }
        if self.rng.below(4) == 0 {
            let settings = r#"{\"unet.r\":2,\"unet.lora_alpha\":4}"#;
            header.push(format!(r#""__metadata__":{{"lora_adapter_metadata":"{settings}","ss_network_alpha":"4.0"}}"#));
        }
        let json = format!("{{{}}}", header.join(","));
        let mut file = (json.len() as u64).to_le_bytes().to_vec();
        file.extend(json.bytes());
        // A tensor of more than this is a lie that must be found out.
        file.extend((0..at.min(4096)).map(|_| self.rng.below(256) as u8));
        file
    }

    fn damage(&mut self, bytes: &mut Vec<u8>, end: usize) {
        if end == 0 {
            return;
        }
        let words: [&[u8]; 18] = [
            b"[",
            b"]",
            b"{",
            b"}",
            b"\"",
            b",",
            b":",
            b"0",
            b"-1",
            b"1e99",
            b"18446744073709551615",
            b"null",
            b"[[[[[[[[[[[[[[[[",
            b"\xff\xfe",
            b"4294967296",
            b"NaN",
            b"\\u0000",
            b"(.*)*",
        ];
        let at = self.rng.below(end);
        match self.rng.below(7) {
            0 => bytes[at] ^= 1 << self.rng.below(8),
            1 => bytes[at] = self.rng.below(256) as u8,
            2 => bytes.truncate(at),
            3 => drop(bytes.drain(at..(at + 1 + self.rng.below(20)).min(bytes.len()))),
            4 => drop(bytes.splice(at..at, words[self.rng.below(words.len())].iter().copied())),
            5 => {
                let from = self.rng.below(end);
                let piece = bytes[from..(from + self.rng.below(60)).min(end)].to_vec();
                drop(bytes.splice(at..at, piece));
            }
            _ => {
                let digits: Vec<usize> = (0..end).filter(|&i| bytes[i].is_ascii_digit()).collect();
                if !digits.is_empty() {
                    bytes[digits[self.rng.below(digits.len())]] = b'0' + self.rng.below(10) as u8;
                }
            }
        }
        // The length in front usually follows, or nothing behind it is ever looked at.
        if self.rng.below(3) > 0 && bytes.len() > 8 && bytes.len() != end {
            let length = bytes.iter().skip(8).rposition(|&b| b == b'}').map_or(0, |at| at + 1) as u64;
            bytes[..8].copy_from_slice(&length.to_le_bytes());
        }
    }
}

fn header_end(file: &[u8]) -> usize {
    let length = file.first_chunk::<8>().map_or(0, |first| u64::from_le_bytes(*first));
    usize::try_from(length.saturating_add(8)).unwrap_or(usize::MAX).min(file.len())
}
