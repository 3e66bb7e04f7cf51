//! Adapters written by PEFT, against what PEFT itself makes of them.
#![cfg(not(target_arch = "wasm32"))]

#[path = "common/cases.rs"]
mod cases;
#[path = "common/peft.rs"]
mod peft;

use std::collections::BTreeSet;

use cases::{CASES, file};
use lora_playground::error::Error;
use lora_playground::files::write::{Planned, Writer};
use lora_playground::files::{Checkpoint, Dtype, Memory, TensorInfo};
use lora_playground::peft::combine::{Combination, combine};
use lora_playground::peft::compare::{compare, compared, pairs};
use lora_playground::peft::draft::stopped;
use lora_playground::peft::edit::{Edit, edit};
use lora_playground::peft::intruders::{Direction, Search, Verdict, intruders};
use lora_playground::peft::merge::Merge;
use lora_playground::peft::overview::{Form, overview};
use lora_playground::peft::view::{Weight, directions, survey, tile};
use lora_playground::peft::{Adapter, Loaded};
use peft::{adapter, checkpoint, everything, memory, merged, without_base};
use pollster::block_on;
use serde_json::Value;

#[test]
fn every_module_has_the_norms_and_spectrum_that_peft_gives_it() {
    for case in CASES {
        let (adapter, base) = (adapter(case), checkpoint(case, "base/model.safetensors"));
        assert_eq!(adapter.not_understood, Vec::<String>::new(), "{case}");
        let expected: Value = serde_json::from_slice(&file(case, "expected.json")).unwrap();
        let mut seen = BTreeSet::new();
        for at in 0..adapter.targets() {
            let row = block_on(overview(&adapter, Some(&base), at)).unwrap().unwrap();
            let key = if row.form == Form::Whole { row.name.clone() } else { format!("{}.weight", row.name) };
            let expected = &expected[&key];
            if row.rank == 0 && row.form != Form::Whole {
                assert!(expected.is_null() && row.norm == Some(0.0), "{case} {key}: pruned to nothing");
                continue;
            }
            assert!(seen.insert(key.clone()));
            assert!(row.exact);
            assert_eq!(expected["shape"], serde_json::json!([row.shape.0, row.shape.1]), "{case} {key}");
            let norm = expected["delta_frobenius"].as_f64().unwrap();
            assert!((row.norm.unwrap() / norm - 1.0).abs() < 1e-4, "{case} {key}: {:?}, not {norm}", row.norm);
            let values = expected["delta_singular_values"].as_array().unwrap();
            // PEFT's deltas are differences of two f32 weights: their own rounding is noise of this size.
            let noise = 1e-7 * norm.max(row.base_norm.unwrap());
            for (i, value) in values.iter().enumerate() {
                let (value, got) = (value.as_f64().unwrap(), row.singular.get(i).copied().unwrap_or(0.0));
                assert!((got - value).abs() < 1e-4 * value + noise, "{case} {key} σ{i}: {got}, not {value}");
            }
        }
        let biases = |key: &&String| !key.ends_with(".bias");
        let all: BTreeSet<_> = expected.as_object().unwrap().keys().filter(biases).cloned().collect();
        assert_eq!(seen, all, "{case}");
    }
}

#[test]
fn merged_weights_are_those_of_peft() {
    for case in CASES {
        let (adapter, base) = (adapter(case), checkpoint(case, "base/model.safetensors"));
        let merged = checkpoint(case, "merged.safetensors");
        let modules = adapter.modules.iter().map(|m| block_on(Loaded::module(&adapter, m, Some(&base))).unwrap());
        let whole = adapter.whole.iter().map(|w| block_on(Loaded::whole(&adapter, w, Some(&base))).unwrap());
        let mut compared = 0;
        for loaded in modules.chain(whole) {
            let Some(info) = merged.find(loaded.base_key().unwrap()) else {
                continue;
            };
            let expected = block_on(merged.read(&info.name)).unwrap().values;
            let got = block_on(loaded.merged_rows(0..loaded.rows)).unwrap().unwrap();
            compared += 1;
            for (got, expected) in got.iter().zip(expected) {
                let expected = f64::from(expected);
                assert!(
                    (got - expected).abs() < 1e-6 + 1e-5 * expected.abs(),
                    "{case} {}: {got} {expected}",
                    info.name
                );
            }
        }
        let weights = merged.tensors().filter(|info| info.shape.len() == 2).count();
        assert_eq!(compared, weights, "{case}");
    }
}

/// Values of a file written, by name.
fn read(bytes: Vec<u8>, name: &str) -> Vec<f32> {
    let checkpoint = block_on(Checkpoint::open(vec![Memory::new("written", bytes)])).unwrap();
    block_on(checkpoint.read(name)).unwrap().values
}

#[test]
fn a_merged_base_is_pefts_with_all_else_as_it_was() {
    for case in CASES {
        let written = merged(case, &adapter(case));
        let official = safetensors::SafeTensors::deserialize(&written).unwrap();
        let (base, expected) = (checkpoint(case, "base/model.safetensors"), checkpoint(case, "merged.safetensors"));
        assert_eq!(official.len(), base.tensors().count());
        for info in base.tensors() {
            let got = read(written.clone(), &info.name);
            let from = if expected.find(&info.name).is_some() { &expected } else { &base };
            let expected = block_on(from.read(&info.name)).unwrap().values;
            let far = |(g, e): (&f32, &f32)| (g - e).abs() > 1e-6 + 1e-5 * e.abs();
            assert_eq!(got.iter().zip(&expected).position(far), None, "{case} {}", info.name);
        }
    }
}

/// The changes of all modules, by name, without a base.
fn changes(adapter: &Adapter<Memory>) -> Vec<(String, f64, Vec<f64>)> {
    let change = |module| {
        let loaded: Loaded<Memory, Memory> = block_on(Loaded::module(adapter, module, None)).unwrap();
        let change = loaded.change.unwrap();
        (module.name.clone(), change.scale, change.tile(0..loaded.rows, 0..loaded.columns))
    };
    adapter.modules.iter().filter(|m| m.rank > 0).map(change).collect()
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
    norm(&mut a.iter().zip(b).map(|(a, b)| a - b)) / norm(&mut b.iter().copied())
}

#[test]
fn every_written_adapter_is_read_again_and_says_the_same() {
    let mut seen = BTreeSet::new();
    for written in everything() {
        let (before, after) = (adapter(written.case), written.open());
        let place = format!("{} {}", written.case, written.edit);
        assert_eq!(after.not_understood, Vec::<String>::new(), "{place}");
        let official = safetensors::SafeTensors::deserialize(&written.adapter).unwrap();
        assert_eq!(official.len(), after.file.tensors().count());
        seen.insert(written.edit);
        if written.edit.contains("llama") {
            continue;
        }
        let (old, new) = (changes(&before), changes(&after));
        let dropped = usize::from(written.edit == "one_dropped");
        assert_eq!(new.len(), old.len() - dropped, "{place}");
        assert_eq!(after.whole.len(), before.whole.len());
        for (name, scale, values) in &new {
            let (_, old_scale, old_values) = old.iter().find(|(old, ..)| old == name).unwrap();
            let module = &after.modules[after.find(name).unwrap()];
            let (factor, tolerance) = match written.edit {
                "half_the_scale" => (0.5, 1e-6),
                "bf16" => (1.0, 8e-3),
                "f16" => (1.0, 1e-3),
                _ => (1.0, 1e-6),
            };
            let old_values: Vec<f64> = old_values.iter().map(|v| v * factor).collect();
            let gap = distance(values, &old_values);
            if written.edit == "rank_2" {
                let own = &before.modules[before.find(name).unwrap()];
                let draft = edit(&before, &Edit { rank: Some(2), ..Edit::default() }).unwrap();
                let at = draft.modules.iter().position(|m| m.name == *name).unwrap();
                let (_, said) = block_on(draft.modules[at].factors()).unwrap();
                let rounding = if own.dtype == Dtype::F32 { 1e-5 } else { 8e-3 };
                assert!((gap - said).abs() < rounding, "{place} {name}: {gap}, said {said}");
                assert!(module.rank == 2 && (own.rank == 2 || said > 0.01));
            } else {
                assert!(gap < tolerance, "{place} {name}: {gap}");
            }
            assert!((scale / old_scale - factor).abs() < 1e-4 || written.case == "llama_adalora", "{place}: {scale}");
            let dtype = match written.edit {
                "f32" => Dtype::F32,
                "bf16" => Dtype::Bf16,
                "f16" => Dtype::F16,
                _ => before.modules[0].dtype,
            };
            assert_eq!(module.dtype, dtype);
        }
    }
    assert_eq!(seen.len(), 10);
}

#[test]
fn combinations_are_the_sums_they_should_be() {
    let [lora, all] = ["llama_lora", "llama_lora_bf16"].map(adapter);
    let [a, b] = [&lora, &all].map(changes);
    let of = |how| {
        let draft = combine(&[(&lora, 0.7), (&all, -0.4)], how, None).unwrap();
        let written = peft::Written::new("llama_lora", "combined", &draft);
        let errors = block_on(draft.write(&mut Vec::new(), &mut |_| true)).unwrap();
        (changes(&written.open()), written.open(), errors)
    };
    let (cat, opened, exact) = of(Combination::Cat);
    let (svd, truncated, errors) = of(Combination::Svd(None));
    assert!(exact.iter().all(|&error| error == 0.0));
    assert_eq!(cat.len(), 14);
    for (((name, _, cat), (_, _, svd)), error) in cat.iter().zip(&svd).zip(errors) {
        let find =
            |of: &[(String, f64, Vec<f64>)]| of.iter().find(|(other, ..)| other == name).map(|(_, _, v)| v.clone());
        let (a, b) = (find(&a), find(&b).unwrap());
        let sum: Vec<f64> = (0..b.len()).map(|i| a.as_ref().map_or(0.0, |a| 0.7 * a[i]) - 0.4 * b[i]).collect();
        // Modules that only the second has are stored in its bf16.
        let rounding = if a.is_some() { 1e-5 } else { 5e-3 };
        assert!(distance(cat, &sum) < rounding, "{name}: {}", distance(cat, &sum));
        let rank = |adapter: &Adapter<Memory>| adapter.modules[adapter.find(name).unwrap()].rank;
        let expected = if a.is_some() { (12, 8) } else { (4, 4) };
        assert_eq!((rank(&opened), rank(&truncated)), expected);
        let gap = distance(svd, &sum);
        assert!(gap < 0.5 && (a.is_none() || gap > 1e-3), "{name}: {gap}");
        assert!((gap - error).abs() < rounding, "{name}: {gap}, said to be {error}");
    }
    // Factors added are not changes added; how far they are from it is said.
    let saved = adapter("llama_embedding_and_saved_head");
    let draft = combine(&[(&all, 0.7), (&saved, -0.4)], Combination::Linear, Some(Dtype::F32)).unwrap();
    let errors = block_on(draft.write(&mut Vec::new(), &mut |_| true)).unwrap();
    let made = changes(&peft::Written::new("llama_lora", "linear", &draft).open());
    let (both, sums) = (changes(&saved), changes(&all));
    for ((name, _, made), error) in made.iter().zip(errors) {
        let find = |of: &[(String, f64, Vec<f64>)]| of.iter().find(|(n, ..)| n == name).map(|(_, _, v)| v.clone());
        let (one, two) = (find(&sums), find(&both));
        let of = |values: &Option<Vec<f64>>, i: usize| values.as_ref().map_or(0.0, |v| v[i]);
        let sum: Vec<f64> = (0..made.len()).map(|i| 0.7 * of(&one, i) - 0.4 * of(&two, i)).collect();
        let gap = distance(made, &sum);
        assert!(
            (gap - error).abs() < 1e-4 && (one.is_none() || two.is_none() || gap > 0.1),
            "{name}: {gap}, not {error}"
        );
    }
}

#[test]
fn what_cannot_be_done_is_said() {
    let [lora, dora, other, gpt2] = ["llama_lora", "llama_dora", "llama_lora_bf16", "gpt2_conv1d"].map(adapter);
    let message = |change: Edit| edit(&lora, &change).unwrap_err().to_string();
    assert!(message(Edit { rank: Some(0), ..Edit::default() }).contains("rank: expected at least 1, got 0"));
    assert!(message(Edit { scale: f64::NAN, ..Edit::default() }).contains("scale: expected a finite number"));
    assert!(message(Edit { drop: vec!["x".into()], ..Edit::default() }).contains("no module \"x\""));
    let all = lora.modules.iter().map(|m| m.name.clone()).collect();
    assert!(message(Edit { drop: all, ..Edit::default() }).contains("at least one that stays"));
    let refused = |adapters: &[(&Adapter<Memory>, f64)], how| combine(adapters, how, None).unwrap_err().to_string();
    assert!(refused(&[], Combination::Cat).contains("at least one"));
    assert!(refused(&[(&dora, 1.0), (&lora, 1.0)], Combination::Cat).contains("no DoRA"));
    assert!(refused(&[(&lora, 1.0), (&other, 1.0)], Combination::Linear).contains("one rank in all adapters"));
    assert!(refused(&[(&lora, f64::INFINITY)], Combination::Cat).contains("finite"));
    let base = checkpoint("gpt2_conv1d", "base/model.safetensors");
    let wrong_base = Merge::new(&lora, &base).unwrap_err().to_string();
    assert!(wrong_base.contains("has no weight for \"model.layers.0.self_attn.q_proj\""), "{wrong_base}");
    let without = Adapter::open(memory("gpt2_conv1d", "adapter/adapter_model.safetensors"), None);
    let without = block_on(without).unwrap();
    assert_eq!(without.remarks(), ["scaling: without adapter_config.json it is taken as 1"]);
    // Without the configuration the shapes are those of another orientation.
    let first = |adapter: &Adapter<Memory>| block_on(overview(adapter, Some(&base), 0)).unwrap().unwrap();
    assert_eq!(first(&gpt2).shape, (32, 96));
    let row = first(&without);
    assert!(row.base_norm.is_none() && row.why.is_some_and(|why| why.contains("it is for another base")));
    let empty = Adapter::open(memory("gpt2_conv1d", "base/model.safetensors"), None);
    assert!(block_on(empty).unwrap_err().to_string().contains("holds no adapter that is known here"));
}

#[test]
fn shapes_that_a_file_does_not_hold_are_the_bases() {
    for case in ["llama_vera", "llama_vera_shapes"] {
        let (mut open, other) = (without_base(case).unwrap(), checkpoint("gpt2_conv1d", "base/model.safetensors"));
        // Another's base says nothing of it.
        open.take_shapes(&other);
        assert!(open.takes_shapes() && open.modules.is_empty());
        let remarks = open.remarks();
        assert!(remarks.len() == 1 && remarks[0].contains("the number of inputs is not in the file"), "{remarks:?}");
        let refused = |result: Result<(), Error>| {
            let message = result.unwrap_err().to_string();
            assert!(message.contains("base: expected the base that the adapter is for"), "{message}");
        };
        refused(edit(&open, &Edit::default()).map(drop));
        refused(combine(&[(&open, 1.0)], Combination::Cat, None).map(drop));
        refused(Merge::new(&open, &other).map(drop));
        open.take_shapes(&checkpoint(case, "base/model.safetensors"));
        assert!(open.remarks().is_empty() && !open.modules.is_empty());
        assert_eq!(open.modules.len(), adapter(case).modules.len());
        // Without its configuration it is the same adapter, for all that it says is in the tensors.
        let bare = Adapter::open(memory(case, "adapter/adapter_model.safetensors"), None);
        let mut bare = block_on(bare).unwrap();
        bare.take_shapes(&checkpoint(case, "base/model.safetensors"));
        assert_eq!((changes(&bare), bare.remarks()), (changes(&open), vec![]));
        // Saved it is LoRA, and needs no base.
        let saved = peft::Written::new(case, "saved", &edit(&open, &Edit::default()).unwrap()).open();
        assert!(!saved.takes_shapes() && saved.modules.iter().all(|m| m.described.is_none()));
    }
    let forms: BTreeSet<String> =
        adapter("llama_vera").modules.iter().map(|m| format!("{:?}", m.described.as_ref().unwrap().method)).collect();
    assert_eq!(forms, BTreeSet::from(["vera".to_owned()]));
    let message = without_base("llama_vera_unsaved").unwrap_err().to_string();
    assert!(
        message
            .contains("does not hold base_model.vera_A and base_model.vera_B, which all its modules share; PEFT draws")
            && message.contains("projection_prng_key")
            && message.ends_with("save_projection=True"),
        "{message}"
    );
}

#[test]
fn of_a_single_module_the_shape_is_in_the_file() {
    let from = checkpoint("llama_vera_shapes", "adapter/adapter_model.safetensors");
    let kept = |name: &str| !name.contains("layers.") || name.contains("down_proj");
    let all: Vec<_> = from.tensors().filter(|info| kept(&info.name)).collect();
    let planned =
        |info: &&TensorInfo| Planned { name: info.name.clone(), dtype: info.dtype, shape: info.shape.clone() };
    let plan: Vec<Planned> = all.iter().map(planned).collect();
    let mut bytes = Vec::new();
    block_on(async {
        let mut writer = Writer::begin(&mut bytes, &plan, &Default::default()).await.unwrap();
        for info in &all {
            writer.values(info.dtype, &from.read(&info.name).await.unwrap().values).await.unwrap();
        }
        writer.end().unwrap();
    });
    let alone = block_on(Adapter::open(Memory::new("alone", bytes), None)).unwrap();
    let expected = changes(&adapter("llama_vera_shapes"));
    let expected = expected.into_iter().find(|(name, ..)| name.contains("down_proj"));
    assert_eq!((changes(&alone).pop(), alone.remarks()), (expected, vec![]));
}

fn sought(loaded: &Loaded<'_, Memory, Memory>, search: Search) -> Option<Vec<Direction>> {
    block_on(intruders(loaded, search, &mut async |_| Ok(()))).unwrap()
}

#[test]
fn tiles_norms_and_intruders_are_those_of_the_weights() {
    let mut going = async || Ok(());
    for case in CASES {
        let (adapter, base) = (adapter(case), checkpoint(case, "base/model.safetensors"));
        let module = adapter.modules.iter().find(|m| m.rank > 0).unwrap();
        let loaded = block_on(Loaded::module(&adapter, module, Some(&base))).unwrap();
        let merged = block_on(loaded.merged_rows(0..loaded.rows)).unwrap().unwrap();
        let w0 = block_on(loaded.base_rows(0..loaded.rows)).unwrap().unwrap();
        let columns = loaded.columns;
        let mut full = |weight| block_on(tile(&loaded, weight, (3..9, 5..12), (99, 99), &mut going)).unwrap().unwrap();
        let (m, b, c) = (full(Weight::Merged), full(Weight::Base), full(Weight::Change));
        assert_eq!((m.cells, m.values.len()), ((6, 7), 42));
        for at in 0..42 {
            let place = (3 + at / 7) * columns + 5 + at % 7;
            assert!((f64::from(m.values[at]) - merged[place]).abs() < 1e-6 && b.values[at] == w0[place], "{case}");
            assert!((m.values[at] - b.values[at] - c.values[at]).abs() < 1e-6, "{case}");
        }
        // Shrunk, every entry is in a cell and the largest of all is still seen.
        let small = block_on(tile(&loaded, Weight::Merged, (0..usize::MAX, 0..usize::MAX), (4, 5), &mut going))
            .unwrap()
            .unwrap();
        let largest = |values: &mut dyn Iterator<Item = f64>| values.fold(0.0f64, |most, v| v.abs().max(most));
        assert_eq!((small.cells, small.values.len()), ((4, 5), 20));
        let gap = largest(&mut small.values.iter().map(|&v| f64::from(v))) - largest(&mut merged.iter().copied());
        assert!(gap.abs() < 1e-6);
        let (tile_of_all, norms) = block_on(survey(&loaded, Weight::Change, (4, 5), &mut going)).unwrap().unwrap();
        let whole = (0..loaded.rows, 0..loaded.columns);
        assert_eq!(
            Some(tile_of_all),
            block_on(tile(&loaded, Weight::Change, whole, (4, 5), &mut going)).unwrap(),
            "{case}"
        );
        let change: Vec<f64> = merged.iter().zip(&w0).map(|(m, &b)| m - f64::from(b)).collect();
        for (row, norm) in norms.rows.iter().enumerate() {
            let expected: f64 = change[row * columns..(row + 1) * columns].iter().map(|v| v * v).sum();
            assert!((norm - expected.sqrt()).abs() < 1e-6);
        }
        let total = |values: &[f64]| values.iter().map(|v| v * v).sum::<f64>();
        assert!((total(&norms.rows) - total(&norms.columns)).abs() < 1e-9 * total(&norms.rows) + 1e-12);
        // Every direction is what the change makes of it, and all of them are the change.
        let found = directions(&loaded, usize::MAX);
        assert_eq!(found.is_empty(), !loaded.is_low_rank(), "{case}");
        for direction in &found {
            let written = |row: usize| -> f64 {
                let row = &change[row * columns..(row + 1) * columns];
                row.iter().zip(&direction.columns).map(|(w, &v)| w * f64::from(v)).sum()
            };
            let gap = |row: usize| (written(row) - direction.singular * f64::from(direction.rows[row])).abs();
            assert!((0..loaded.rows).all(|row| gap(row) < 2e-6 * (1.0 + direction.singular)), "{case}");
        }
        let square: f64 = found.iter().map(|d| d.singular * d.singular).sum();
        assert!(found.is_empty() || (square / total(&norms.rows) - 1.0).abs() < 1e-5, "{case}");
        let directions = sought(&loaded, Search { top: 6, ..Search::default() }).unwrap();
        assert_eq!(directions.len(), 6);
        assert_eq!(sought(&loaded, Search { top: 6, held: 0 }).unwrap(), directions, "read again for each pass");
        // The models are random and tiny: all of the base's vectors are known, so that every verdict is certain.
        assert!(directions.iter().all(|d| d.verdict(0.6) != Verdict::Unknown), "{case} {directions:?}");
    }
    // Far larger than the base, the change brings its own directions.
    let (adapter, base) =
        (adapter("llama_rslora_patterns_f16"), checkpoint("llama_rslora_patterns_f16", "base/model.safetensors"));
    let module = &adapter.modules[adapter.find("model.layers.0.self_attn.q_proj").unwrap()];
    let loaded = block_on(Loaded::module(&adapter, module, Some(&base))).unwrap();
    let directions = sought(&loaded, Search { top: 4, ..Search::default() }).unwrap();
    assert!(directions.iter().all(|d| d.verdict(0.8) == Verdict::Intruder), "{directions:?}");
    let without: Loaded<Memory, Memory> = block_on(Loaded::module(&adapter, module, None)).unwrap();
    assert!(sought(&without, Search::default()).is_none());
    // Whoever watches may end it.
    let mut calls = 0;
    let ended = block_on(intruders(&loaded, Search::default(), &mut async |_| {
        calls += 1;
        if calls < 3 { Ok(()) } else { Err(stopped()) }
    }));
    assert_eq!((ended, calls), (Err(stopped()), 3));
    assert!(block_on(tile(&without, Weight::Merged, (0..4, 0..4), (4, 4), &mut going)).unwrap().is_none());
}

#[test]
fn an_adapter_against_itself_and_another() {
    let [a, b] = ["llama_lora", "llama_lora_bf16"].map(adapter);
    assert_eq!(pairs(&a, &b).iter().filter(|(_, a, b)| a.is_some() && b.is_some()).count(), 4);
    for (pair, whose) in [((Some(0), None), "first"), ((None, Some(0)), "second")] {
        assert_eq!(block_on(compared(&a, &b, pair)), Err(format!("only the {whose} adapts it")));
    }
    for (_, first, second) in pairs(&a, &b) {
        let (Some(first), Some(second)) = (first, second) else {
            continue;
        };
        let (first, second) = (&a.modules[first], &b.modules[second]);
        let own = block_on(compare((&a, first), (&a, first))).unwrap();
        assert!((own.cosine - 1.0).abs() < 1e-9 && (own.together - 2.0 * own.norms.0).abs() < 1e-9);
        assert!(own.read.iter().chain(&own.written).all(|c| (c - 1.0).abs() < 1e-6));
        // Trained on random tokens from other seeds: nearly nothing in common.
        let other = block_on(compare((&a, first), (&b, second))).unwrap();
        assert!(other.cosine.abs() < 0.3 && other.read.len() == 4, "{other:?}");
    }
    let gpt2 = adapter("gpt2_conv1d");
    let error = block_on(compare((&a, &a.modules[0]), (&gpt2, &gpt2.modules[0]))).unwrap_err().to_string();
    assert!(error.contains("(32, 32) in both adapters"), "{error}");
}
