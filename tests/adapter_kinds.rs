//! Kinds of adapters as people have them, beyond the reported ones: what PEFT made (`make_adapter_own.py`), and situations made here
//! with other names and shapes.
#![cfg(not(target_arch = "wasm32"))]

#[path = "common/people.rs"]
mod people;

use std::path::Path;

use lora_playground::files::write::{Planned, Writer, pytorch};
use lora_playground::files::{Checkpoint, Dtype, Memory};
use lora_playground::peft::Adapter;
use lora_playground::peft::combine::{Combination, combine};
use lora_playground::peft::edit::{Edit, edit};
use lora_playground::peft::merge::Merge;
use lora_playground::peft::overview::{Overview, overview};
use people::{Case, Saved};
use pollster::block_on;

const NOTHING: &[String] = &[];

fn own(name: &str) -> Case {
    Case::of(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/adapter_own").join(name)).unwrap()
}

#[track_caller]
fn says(texts: &[String], what: &str) {
    assert!(texts.iter().any(|text| text.contains(what)), "{what:?} is not in {texts:?}");
}

/// A file of tensors whose values count up; a name may say another dtype.
fn file(tensors: &[(&str, &[usize])], metadata: &[(&str, &str)]) -> Memory {
    let typed = |name: &str| match name.split_once('@') {
        Some((dtype, name)) => (Dtype::parse(dtype).unwrap(), name.to_owned()),
        None => (Dtype::F32, name.to_owned()),
    };
    let planned = |(name, shape): &(&str, &[usize])| {
        let (dtype, name) = typed(name);
        Planned { name, dtype, shape: shape.to_vec() }
    };
    let plan: Vec<Planned> = tensors.iter().map(planned).collect();
    let mut bytes = Vec::new();
    block_on(async {
        let header = match metadata {
            [] => pytorch(),
            pairs => pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        };
        let mut writer = Writer::begin(&mut bytes, &plan, &header).await.unwrap();
        for (at, tensor) in plan.iter().enumerate() {
            let count: usize = tensor.shape.iter().product();
            let values: Vec<f32> = (0..count).map(|i| ((i * 7 + at * 3) % 11) as f32 * 0.125 - 0.5).collect();
            match tensor.dtype.is_float() {
                true => writer.values(tensor.dtype, &values).await.unwrap(),
                false => writer.bytes(&vec![1; count * usize::from(tensor.dtype.bits()) / 8]).await.unwrap(),
            }
        }
        writer.end().unwrap();
    });
    Memory::new("made.safetensors", bytes)
}

fn open(tensors: &[(&str, &[usize])], config: Option<&str>) -> Adapter<Memory> {
    block_on(Adapter::open(file(tensors, &[]), config.map(str::as_bytes))).unwrap()
}

fn base(tensors: &[(&str, &[usize])]) -> Checkpoint<Memory> {
    block_on(Checkpoint::open(vec![file(tensors, &[])])).unwrap()
}

fn rows(adapter: &Adapter<Memory>, base: &Checkpoint<Memory>) -> Vec<Overview> {
    (0..adapter.targets()).map(|at| block_on(overview(adapter, Some(base), at)).unwrap().unwrap()).collect()
}

const LORA: Option<&str> = Some(r#"{"peft_type":"LORA","r":2,"lora_alpha":2}"#);

#[test]
fn what_begins_as_the_bases_own_directions() {
    for name in ["pissa_rslora", "olora"] {
        let case = own(name);
        assert_eq!(case.merges().0, NOTHING, "{name}");
        assert_eq!(case.adapter.remarks(), NOTHING);
        let all: Vec<_> = case.names();
        assert!(all.iter().all(|name| case.row(name).norm.is_some_and(|norm| norm > 0.0)));
        let two = [(&case.adapter, 1.0), (&case.adapter, 0.5)];
        assert!(combine(&two, Combination::Cat, None).unwrap_err().to_string().contains("convert it with PEFT's"));
    }
}

#[test]
fn experts_stored_outputs_first() {
    let case = own("experts_outputs_first");
    assert_eq!(case.merges().0, NOTHING);
    assert_eq!(case.row("block.ffn.w_out.2").shape, (14, 6));
    assert_eq!(case.names().len(), 7);
    // Without the base they wait for it, and are saved all the same.
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/adapter_own/experts_outputs_first");
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    let source = Memory::new("x", read("adapter_model.safetensors"));
    let alone = block_on(Adapter::open(source, Some(&read("adapter_config.json")))).unwrap();
    says(&alone.remarks(), "block.ffn: holds several experts; open the base");
    let saved = Saved::of(&edit(&alone, &Edit::default()).unwrap());
    assert_eq!((saved.adapter.packed.len(), saved.left_out.as_slice()), (1, NOTHING));
    for (w_in, w_out, why) in [
        ([3, 6, 6], [3, 6, 6], "its shapes fit no parameters of the base's"),
        ([3, 12, 14], [3, 14, 12], "its shapes fit no parameters of the base's"),
        ([3, 14, 6], [3, 12, 14], "which is which"),
    ] {
        let mut other = alone.clone();
        other.take_shapes(&base(&[
            ("block.ffn.w_in", &w_in),
            ("block.ffn.w_out", &w_out),
            ("block.gate.weight", &[6, 14]),
        ]));
        if why != "which is which" {
            says(&other.remarks(), why);
        } else {
            assert!(other.remarks().is_empty(), "told by their shapes, whatever their names");
        }
    }
}

#[test]
fn tokens_wrappers_and_tied_heads() {
    assert_eq!(own("tokens_as_list").merges().0, NOTHING);
    let wrapped = own("named_policy_wrapped");
    assert_eq!((wrapped.merges().0, wrapped.names()[1].as_str()), (vec![], "model.layers.0.self_attn.q_proj"));
    says(&own("head_saved_on_tied").merges().1, "lm_head.weight: is new");
    says(&own("embedding_on_tied").merges().1, "if that is tied to it, it changes with it");
    let llava = own("text_only_adapter_on_llava");
    assert_eq!(llava.merges(), (vec![], vec![]));
}

#[test]
fn formulas_of_others() {
    assert_eq!(own("dora_scale_per_input").merges().0, NOTHING);
    assert_eq!(own("mlx_dora").merges().0, NOTHING);
    let case = own("header_patterns");
    assert_eq!(case.merges().0, NOTHING);
    let smaller = case.saved(&Edit { rank: Some(2), scale: 3.0, ..Edit::default() });
    let scalings = |adapter: &Adapter<Memory>| adapter.modules.iter().map(|m| m.scaling).collect::<Vec<_>>();
    assert_eq!(scalings(&smaller.adapter), scalings(&case.adapter).iter().map(|s| s * 3.0).collect::<Vec<_>>());
    assert!(smaller.keys().iter().all(|key| key.starts_with("transformer.")));
}

#[test]
fn one_modules_trouble_stays_with_it() {
    let adapter = open(
        &[
            ("base_model.model.h.0.a.lora_A.weight", &[2, 6]),
            ("base_model.model.h.0.a.lora_B.weight", &[4, 2]),
            ("base_model.model.h.0.b.lora_A.weight", &[2, 6]),
            ("base_model.model.h.0.b.lora_B.weight", &[4, 2]),
        ],
        LORA,
    );
    let plain = base(&[("transformer.h.0.a.weight", &[4, 6]), ("transformer.h.0.b.weight", &[5, 6])]);
    let table = rows(&adapter, &plain);
    assert!(table[0].why.is_none() && table[0].base_norm.is_some());
    assert!(table[1].norm.is_some() && table[1].why.as_ref().is_some_and(|why| why.contains("it is for another base")));
    let merge = Merge::new(&adapter, &plain).unwrap();
    says(&merge.left_out, "h.0.b: \"transformer.h.0.b.weight\" is [5, 6], but the adapter's is (4, 6)");
    assert_eq!(merge.will_change(), ["transformer.h.0.a.weight"]);
    // Quantised in every way: said so, the other module measured, and nothing merged.
    for (beside, how) in [
        (&[("I8@h.0.b.weight", &[4usize, 6][..]), ("h.0.b.SCB", &[4])][..], "to 8 bits by bitsandbytes"),
        (&[("I32@h.0.b.weight_packed", &[4, 1]), ("h.0.b.weight_scale", &[4, 1])], "by compressed-tensors"),
        (&[("I32@h.0.b.qweight", &[1, 4]), ("I32@h.0.b.qzeros", &[1, 1]), ("h.0.b.scales", &[1, 4])], "by GPTQ or AWQ"),
        (
            &[("U32@h.0.b.weight", &[4, 1]), ("h.0.b.scales", &[4, 1]), ("h.0.b.biases", &[4, 1])],
            "to whole numbers (U32)",
        ),
    ] {
        let all: Vec<_> = [("h.0.a.weight", &[4usize, 6][..])].into_iter().chain(beside.iter().copied()).collect();
        let base = base(&all);
        let table = rows(&adapter, &base);
        assert!(table[0].base_norm.is_some() && table[1].norm.is_some() && table[1].base_norm.is_none());
        assert!(table[1].why.as_ref().is_some_and(|why| why.contains(how)), "{how}: {:?}", table[1].why);
        assert!(Merge::new(&adapter, &base).unwrap_err().to_string().contains("not quantised"), "{how}");
    }
}

#[test]
fn eight_bits_are_read_with_their_scales() {
    let adapter =
        open(&[("base_model.model.q.lora_A.weight", &[2, 300]), ("base_model.model.q.lora_B.weight", &[200, 2])], LORA);
    for (scale, shape) in
        [("q.weight_scale_inv", &[2usize, 3][..]), ("q.weight_scale", &[200, 1]), ("q.scale_weight", &[])]
    {
        let base = base(&[("F8_E4M3@q.weight", &[200, 300]), (scale, shape)]);
        let values = |name: &str| block_on(base.read(name)).unwrap().values;
        let (codes, scales) = (values("q.weight"), values(scale));
        let of = |row: usize, column: usize| match shape.len() {
            0 => scales[0],
            _ if shape[1] == 1 => scales[row],
            _ => scales[row / 128 * 3 + column / 128],
        };
        let square: f64 = (0..60_000).map(|i| f64::from(codes[i] * of(i / 300, i % 300)).powi(2)).sum();
        let norm = rows(&adapter, &base)[0].base_norm.unwrap();
        assert!((norm / square.sqrt() - 1.0).abs() < 1e-5, "{scale}: {norm}, not {}", square.sqrt());
        assert!(Merge::new(&adapter, &base).unwrap_err().to_string().contains("with scales beside it"));
    }
    let odd = base(&[("F8_E4M3@q.weight", &[200, 300]), ("q.weight_scale_inv", &[7, 9])]);
    assert!(rows(&adapter, &odd)[0].why.as_ref().is_some_and(|why| why.contains("no known blocks")));
}

#[test]
fn experts_that_fit_in_two_ways_are_not_guessed() {
    let config = r#"{"peft_type":"LORA","r":2,"lora_alpha":2,"target_parameters":["moe.up","moe.down"]}"#;
    let mut adapter = open(
        &[
            ("base_model.model.moe.lora_A.weight", &[6, 5]),
            ("base_model.model.moe.lora_B.weight", &[7, 6]),
            ("base_model.model.moe.base_layer.lora_A.weight", &[6, 7]),
            ("base_model.model.moe.base_layer.lora_B.weight", &[5, 6]),
            ("base_model.model.q.lora_A.weight", &[2, 5]),
            ("base_model.model.q.lora_B.weight", &[7, 2]),
        ],
        Some(config),
    );
    let base = base(&[("moe.up", &[3, 7, 5]), ("moe.down", &[3, 5, 7]), ("q.weight", &[7, 5])]);
    adapter.take_shapes(&base);
    says(&adapter.remarks(), "in more than one way");
    let merge = Merge::new(&adapter, &base).unwrap();
    says(&merge.left_out, "moe: holds several experts");
    assert_eq!(merge.will_change(), ["q.weight"]);
}

#[test]
fn no_name_is_matched_into_another_component() {
    let lora = |name: &str| {
        let keys = [format!("{name}.lora_A.weight"), format!("{name}.lora_B.weight")];
        open(&[(&keys[0], &[2, 6]), (&keys[1], &[4, 2])], None)
    };
    for (module, weight, found) in [
        ("audio_tower.layers.0.q_proj", "layers.0.q_proj.weight", false),
        ("layers.0.q_proj", "model.audio_tower.layers.0.q_proj.weight", false),
        ("vision_model.encoder.layers.0.q_proj", "text_model.encoder.layers.0.q_proj.weight", false),
        ("text_encoder_2.text_model.q_proj", "cond_stage_model.transformer.text_model.q_proj.weight", false),
        ("text_encoder_3.encoder.block.0.q", "text_encoders.t5xxl.transformer.encoder.block.0.q.weight", true),
        ("bert.encoder.layer.0.q_proj", "roberta.encoder.layer.0.q_proj.weight", false),
        ("bert.encoder.layer.0.q_proj", "encoder.layer.0.q_proj.weight", true),
        ("model.visual.blocks.0.q_proj", "visual.blocks.0.q_proj.weight", true),
        ("module.model.layers.1.q_proj", "layers.1.q_proj.weight", true),
        ("model.layers.1.q_proj", "model.layers.11.q_proj.weight", false),
        ("model.layers.1.q_proj", "_orig_mod.model.layers.1.q_proj.weight", true),
        ("transformer.blocks.0.q_proj", "model.diffusion_model.blocks.0.q_proj.weight", true),
        ("blocks.0.q_proj", "control_model.blocks.0.q_proj.weight", false),
    ] {
        let row = &rows(&lora(module), &base(&[(weight, &[4, 6]), ("other.weight", &[1])]))[0];
        assert_eq!((row.base_norm.is_some(), row.why.is_none()), (found, found), "{module} on {weight}: {:?}", row.why);
    }
    // Both encoders' modules cannot be of the one file that does not say which it is.
    let both = open(
        &[
            ("lora_te1_text_model_q.lora_down.weight", &[2, 6]),
            ("lora_te1_text_model_q.lora_up.weight", &[4, 2]),
            ("lora_te2_text_model_q.lora_down.weight", &[2, 6]),
            ("lora_te2_text_model_q.lora_up.weight", &[4, 2]),
        ],
        None,
    );
    let bare = base(&[("text_model.q.weight", &[4, 6])]);
    assert!(rows(&both, &bare).iter().all(|row| row.why.as_ref().is_some_and(|why| why.contains("cannot be told"))));
    let said = base(&[("text_encoders.clip_g.transformer.text_model.q.weight", &[4, 6])]);
    let found: Vec<bool> = rows(&both, &said).iter().map(|row| row.base_norm.is_some()).collect();
    assert_eq!(found, [false, true]);
}

#[test]
fn each_key_says_by_itself_how_it_is_named() {
    let adapter = open(
        &[
            ("lora_unet_down_0_q.lora_down.weight", &[2, 6]),
            ("lora_unet_down_0_q.lora_up.weight", &[4, 2]),
            ("I32@lora_unet_down_0_q.alpha", &[]),
            ("unet.down.1.q.lora_A.weight", &[2, 6]),
            ("unet.down.1.q.lora_B.weight", &[4, 2]),
            ("F16@unet.down.1.q.alpha", &[1]),
            ("unet.down.2.attn1.processor.to_out_lora.down.weight", &[2, 6]),
            ("unet.down.2.attn1.processor.to_out_lora.up.weight", &[4, 2]),
            ("unet.norm.w_norm", &[4]),
        ],
        None,
    );
    let base = base(&[
        ("down.0.q.weight", &[4, 6]),
        ("down.1.q.weight", &[4, 6]),
        ("down.2.attn1.to_out.0.weight", &[4, 6]),
        ("norm.weight", &[4]),
    ]);
    assert!(rows(&adapter, &base).iter().all(|row| row.base_norm.is_some()), "{:?}", rows(&adapter, &base));
    let merge = Merge::new(&adapter, &base).unwrap();
    assert_eq!((merge.will_change().len(), merge.left_out.as_slice()), (4, NOTHING));
    // A file without any alpha, scaled: what nothing would store goes into the factors.
    let bare = open(&[("unet.q.lora.down.weight", &[2, 6]), ("unet.q.lora.up.weight", &[4, 2])], None);
    let saved = Saved::of(&edit(&bare, &Edit { scale: -3.0, ..Edit::default() }).unwrap());
    let up = |adapter: &Adapter<Memory>| block_on(adapter.file.read("unet.q.lora.up.weight")).unwrap().values[1];
    assert_eq!((saved.keys().len(), up(&saved.adapter)), (2, -3.0 * up(&bare)));
    let alpha = [("ss_network_alpha", "1"), ("ss_network_dim", "2")];
    let kohya = file(&[("lora_unet_q.lora_down.weight", &[2, 6]), ("lora_unet_q.lora_up.weight", &[4, 2])], &alpha);
    let kohya = block_on(Adapter::open(kohya, None)).unwrap();
    assert_eq!((kohya.modules[0].scaling, kohya.remarks().as_slice()), (0.5, NOTHING));
    let saved = Saved::of(&edit(&kohya, &Edit { rank: Some(1), ..Edit::default() }).unwrap());
    assert_eq!((saved.adapter.modules[0].scaling, saved.keys()[0]), (0.5, "lora_unet_q.alpha"));
    assert_eq!(saved.adapter.file.shards[0].header.metadata["ss_network_dim"], "1");
}

#[test]
fn nothing_vanishes() {
    let config = r#"{"peft_type":"LORA","r":2,"lora_alpha":2,"use_qalora":true,"modules_to_save":["score"],"init_lora_weights":"corda"}"#;
    let tensors: &[(&str, &[usize])] = &[
        ("base_model.model.q.lora_A.weight", &[2, 6]),
        ("base_model.model.q.lora_B.weight", &[4, 2]),
        ("base_model.model.v.hada_w1_a", &[4, 2]),
        ("base_model.model.q.lora_kasa.weight", &[2]),
    ];
    let adapter = open(tensors, Some(config));
    for what in ["v.hada_w1_a: is LoHa of LyCORIS", "lora_kasa", "use_qalora: true"] {
        says(&adapter.not_understood, what);
    }
    says(&adapter.remarks(), "modules_to_save: names score, but the file holds no such weights");
    says(&adapter.remarks(), "init_lora_weights: \"corda\"");
    let base = base(&[("q.weight", &[4, 6])]);
    assert!(rows(&adapter, &base)[0].norm.is_none());
    assert!(Merge::new(&adapter, &base).unwrap_err().to_string().contains("corda"));
    let saved = Saved::of(&edit(&adapter, &Edit::default()).unwrap());
    assert!(saved.left_out.len() == 3 && saved.config.as_ref().unwrap().get("use_qalora").is_none());
    let plain = open(tensors, LORA);
    let mut smaller = Saved::of(&edit(&plain, &Edit { rank: Some(1), ..Edit::default() }).unwrap());
    smaller.adapter.left_behind(&smaller.left_out);
    says(&smaller.adapter.remarks(), "LoHa of LyCORIS");
    let again = Saved::of(&combine(&[(&smaller.adapter, 1.0), (&plain, 2.0)], Combination::Cat, None).unwrap());
    says(&again.left_out, "LoHa of LyCORIS");
    let merge = Merge::new(&smaller.adapter, &base).unwrap();
    says(&merge.left_out, "LoHa of LyCORIS");
}

#[test]
fn grown_embeddings_with_their_stored_base() {
    let adapter = open(
        &[
            ("base_model.model.emb.lora_embedding_A", &[2, 9]),
            ("base_model.model.emb.lora_embedding_B", &[5, 2]),
            ("base_model.model.emb.base_layer.weight", &[9, 5]),
            ("base_model.model.lm_head.lora_A.weight", &[2, 5]),
            ("base_model.model.lm_head.lora_B.weight", &[9, 2]),
            ("base_model.model.lm_head.base_layer.weight", &[9, 5]),
        ],
        LORA,
    );
    let base = base(&[("emb.weight", &[7, 5]), ("lm_head.weight", &[7, 5])]);
    assert!(rows(&adapter, &base).iter().all(|row| row.base_norm.is_some() && row.why.is_none()));
    let merge = Merge::new(&adapter, &base).unwrap();
    says(&merge.notes, "emb.weight: has 9 rows now and had 7");
    let mut out = Vec::new();
    let report = block_on(merge.write(0, &mut out, &mut |_| true)).unwrap();
    let written = block_on(Checkpoint::open(vec![Memory::new("x", out)])).unwrap();
    assert_eq!((report.changed, written.find("lm_head.weight").unwrap().shape.as_slice()), (2, &[9, 5][..]));
    assert!(report.proven.largest < 1e-5);
}

#[test]
fn the_proof_sees_a_coarse_dtype() {
    let adapter =
        open(&[("base_model.model.q.lora_A.weight", &[2, 6]), ("base_model.model.q.lora_B.weight", &[4, 2])], LORA);
    let proven = |dtype: &str| {
        let base = base(&[(&format!("{dtype}@q.weight"), &[4, 6])]);
        let merge = Merge::new(&adapter, &base).unwrap();
        block_on(merge.write(0, &mut Vec::new(), &mut |_| true)).unwrap().proven
    };
    let (full, coarse) = (proven("F32"), proven("F8_E4M3"));
    assert!(full.largest < 1e-6 && coarse.largest > 1e-3 && coarse.relative > 1e-3, "{full:?} {coarse:?}");
    assert_eq!(coarse.at, "q.weight");
}
