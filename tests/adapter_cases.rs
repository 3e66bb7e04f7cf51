//! Adapters as people have them, rebuilt small from public reports: each folder's README says what it imitates and what is right.
#![cfg(not(target_arch = "wasm32"))]

#[path = "common/people.rs"]
mod people;

use std::path::Path;

use lora_playground::peft::edit::Edit;
use lora_playground::peft::overview::Form;
use people::Case;

fn folder(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/adapter_cases").join(name)
}

fn case(name: &str) -> Case {
    Case::of(&folder(name)).unwrap()
}

fn refused(name: &str) -> String {
    Case::of(&folder(name)).err().unwrap().to_string()
}

#[track_caller]
fn says(texts: &[String], what: &str) {
    assert!(texts.iter().any(|text| text.contains(what)), "{what:?} is not in {texts:?}");
}

const Q: &str = "model.layers.0.self_attn.q_proj";
const NOTHING: &[String] = &[];

#[test]
fn every_folder_has_a_test() {
    let text = include_str!("adapter_cases.rs");
    for entry in std::fs::read_dir(folder("")).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.path().is_dir() {
            assert!(text.contains(&format!("fn {name}()")), "{name}");
        }
    }
}

#[test]
fn alpha_int() {
    let case = case("alpha_int");
    assert_eq!(case.adapter.modules[0].scaling, 0.5);
    case.has_changes();
}

#[test]
fn bias_all() {
    let case = case("bias_all");
    case.has_changes();
    assert_eq!(case.merges().0, NOTHING);
    assert_eq!(case.row(&format!("{Q}.bias")).form, Form::Whole);
}

#[test]
fn bnb4_base() {
    let case = case("bnb4_base");
    case.has_changes();
    let row = case.row(Q);
    assert!(row.norm.is_some() && row.base_norm.is_none() && row.why.unwrap().contains("quantised to 4 bits"));
    assert!(case.refuses().contains("quantised to 4 bits by bitsandbytes; merge into the base that was not quantised"));
}

#[test]
fn comfy_dots_with_alpha() {
    let case = case("comfy_dots_with_alpha");
    case.has_changes();
    assert_eq!(case.merges().0, NOTHING);
    let saved = case.saved(&Edit { scale: 0.5, ..Edit::default() });
    assert_eq!(saved.keys(), case.adapter.file.tensors().map(|i| i.name.as_str()).collect::<Vec<_>>());
    assert_eq!(saved.adapter.modules[0].scaling, 0.5 * case.adapter.modules[0].scaling);
    assert!(saved.config.is_none());
}

#[test]
fn config_bom() {
    assert_eq!(case("config_bom").adapter.modules[0].scaling, 2.0);
}

#[test]
fn default_names_saved() {
    let case = case("default_names_saved");
    case.has_changes();
    assert_eq!(case.adapter.remarks(), NOTHING);
    assert_eq!(case.names().len(), 3);
    // Expected are the two weights whose values were written down; the embedding is as its factors say.
    let (written, report, left_out, _) = case.merge().unwrap();
    assert_eq!((report.changed, left_out.as_slice()), (3, NOTHING));
    assert!(report.proven.largest < 1e-5 && written.find("model.embed_tokens.weight").is_some());
    let saved = case.saved(&Edit::default());
    assert!(saved.keys().iter().all(|key| !key.contains("default")), "as PEFT loads them: {:?}", saved.keys());
}

#[test]
fn diffusers_attn_procs() {
    let case = case("diffusers_attn_procs");
    assert_eq!(case.names(), ["unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"]);
    assert_eq!((case.adapter.modules[0].scaling, case.adapter.remarks().as_slice()), (1.0, NOTHING));
    assert_eq!(case.merges().0, NOTHING);
    let saved = case.saved(&Edit { scale: -2.0, rank: Some(2), ..Edit::default() });
    assert!(saved.keys()[0].ends_with("attn1.processor.to_q_lora.down.weight"));
}

#[test]
fn diffusers_lora_linear_layer() {
    let case = case("diffusers_lora_linear_layer");
    assert_eq!(case.names(), ["text_encoder.text_model.encoder.layers.0.self_attn.q_proj"]);
    assert_eq!(case.adapter.modules[0].scaling, 1.0);
    assert_eq!(case.merges().0, NOTHING);
}

#[test]
fn diffusers_old_dots() {
    let case = case("diffusers_old_dots");
    case.has_changes();
    assert_eq!(case.merges().0, NOTHING);
    let saved = case.saved(&Edit::default());
    assert!(saved.keys()[0].ends_with("attn1.to_q.lora.down.weight"), "{:?}", saved.keys());
}

#[test]
fn dora_missing_magnitude() {
    let case = case("dora_missing_magnitude");
    says(&case.adapter.remarks(), "use_dora: is true, but the file holds no magnitudes for model.layers.0");
    says(&case.merges().1, "use_dora");
}

#[test]
fn fp8_block_scaled_base() {
    let case = case("fp8_block_scaled_base");
    case.has_changes();
    assert!((case.row(Q).base_norm.unwrap() / 8.008866524581888 - 1.0).abs() < 1e-6);
    assert!(case.refuses().contains("F8_E4M3 with scales beside it: it is quantised"));
}

#[test]
fn gptq_base() {
    let case = case("gptq_base");
    case.has_changes();
    assert!(case.row(Q).why.unwrap().contains("quantised by GPTQ"));
    assert!(case.refuses().contains("quantised by GPTQ or AWQ; merge into the base that was not quantised"));
}

#[test]
fn header_diffusers() {
    let case = case("header_diffusers");
    assert_eq!(case.adapter.modules[0].scaling, 4.0);
    case.has_changes();
    assert_eq!(case.merges().0, NOTHING);
    let header = |adapter: &lora_playground::peft::Adapter<_>| adapter.file.shards[0].header.clone();
    let saved = case.saved(&Edit::default());
    assert_eq!(header(&saved.adapter).metadata, header(&case.adapter).metadata);
    assert_eq!(saved.keys(), case.adapter.file.tensors().map(|i| i.name.as_str()).collect::<Vec<_>>());
    let halved = case.saved(&Edit { scale: 0.5, rank: Some(2), ..Edit::default() });
    assert_eq!((halved.adapter.modules[0].scaling, halved.adapter.modules[0].rank), (2.0, 2));
}

#[test]
fn kohya_dora_scale() {
    let case = case("kohya_dora_scale");
    case.has_changes();
    assert_eq!(case.merges().0, NOTHING);
    let row = case.row(&case.names()[0]);
    assert!(row.form == Form::Dora && row.exact);
    let saved = case.saved(&Edit { rank: Some(2), ..Edit::default() });
    assert!(saved.keys().iter().any(|key| key.ends_with(".dora_scale")) && saved.left_out == NOTHING);
}

#[test]
fn lfs_pointer() {
    assert!(refused("lfs_pointer").contains("is a Git LFS pointer"));
}

#[test]
fn locon_tucker() {
    let case = case("locon_tucker");
    case.has_changes();
    assert_eq!(case.merges().0, NOTHING);
    let saved = case.saved(&Edit::default());
    assert!(saved.adapter.remarks() == NOTHING && saved.adapter.modules.len() == 2);
}

#[test]
fn loftq() {
    let case = case("loftq");
    says(&case.adapter.remarks(), "init_lora_weights: \"loftq\", so the adapter belongs to the quantised base");
    assert!(case.refuses().contains("loftq"));
    let smaller = case.saved(&Edit { rank: Some(2), ..Edit::default() });
    assert_eq!(smaller.config.unwrap()["init_lora_weights"], true);
}

#[test]
fn merged_linear_old() {
    let said = refused("merged_linear_old");
    assert!(said.contains("enable_lora is [true,false,true]") && said.contains("joint projection"), "{said}");
}

#[test]
fn mlx_config() {
    let case = case("mlx_config");
    assert_eq!((case.names(), case.adapter.modules[0].scaling), (vec![Q.to_owned()], 20.0));
    assert_eq!(case.merges().0, NOTHING);
    let saved = case.saved(&Edit::default());
    assert_eq!(saved.keys()[0], format!("base_model.model.{Q}.lora_A.weight"));
    assert_eq!(saved.config.unwrap()["base_model_name_or_path"], "x");
}

#[test]
fn moe_noconfig() {
    let case = case("moe_noconfig");
    assert_eq!(case.adapter.modules.iter().filter(|m| m.slice.is_some()).count(), 8);
    assert!(case.names().iter().all(|name| !name.ends_with("experts")), "{:?}", case.names());
    // Its scaling is in the configuration, and to guess it would be a wrong model.
    assert!(case.refuses().contains("adapter_config.json; open that with it"));
}

#[test]
fn moe_target_parameters() {
    let case = case("moe_target_parameters");
    case.has_changes();
    assert_eq!(case.merges().0, NOTHING);
    assert_eq!(case.row("model.layers.0.mlp.experts.down_proj.3").shape, (10, 12));
    let as_it_is = case.saved(&Edit::default());
    assert!(as_it_is.left_out == NOTHING && as_it_is.config.unwrap()["target_parameters"].is_array());
    let smaller = case.saved(&Edit { rank: Some(2), ..Edit::default() });
    says(&smaller.left_out, "experts are saved only as they are");
    assert!(smaller.config.unwrap().get("target_parameters").is_none());
}

#[test]
fn name_dots_ckpt() {
    let case = case("name_dots_ckpt");
    assert_eq!(case.names(), [Q]);
    assert_eq!(case.merges().0, NOTHING);
}

#[test]
fn other_adapter_name() {
    let case = case("other_adapter_name");
    case.has_changes();
    assert_eq!(case.merges().0, NOTHING);
}

#[test]
fn pissa() {
    let mut case = case("pissa");
    case.has_changes();
    assert_eq!(case.merges().0, NOTHING);
    let smaller = lora_playground::peft::edit::edit(&case.adapter, &Edit { rank: Some(2), ..Edit::default() });
    assert!(smaller.unwrap_err().to_string().contains("path_initial_model_for_weight_conversion"));
    assert_eq!(case.saved(&Edit::default()).config.unwrap()["init_lora_weights"], "pissa");
    case.base = None;
    let row = case.row(Q);
    assert!(row.norm.is_none() && !row.exact && row.why.unwrap().contains("takes the base"));
}

#[test]
fn resized_vocab() {
    let case = case("resized_vocab");
    case.has_changes();
    says(&case.merges().1, "lm_head.weight: has 23 rows now and had 20; set vocab_size");
    let row = case.row("lm_head.weight");
    assert!(row.norm.is_none() && row.why.unwrap().contains("3 tokens were added"));
    assert!(case.row(Q).base_norm.is_some());
}

#[test]
fn sd3_te2_on_te1_base() {
    let case = case("sd3_te2_on_te1_base");
    case.has_changes();
    let row = case.row(&case.names()[0]);
    assert!(row.base_norm.is_none() && row.why.unwrap().contains("has no weight for"));
    assert!(case.refuses().contains("has no weight for \"lora_te2_"));
}

#[test]
fn sdxl_te1_te2() {
    let case = case("sdxl_te1_te2");
    case.has_changes();
    let [one, two] = [0, 1].map(|at| case.row(&case.names()[at]));
    assert!(one.base_norm.is_some() && one.why.is_none() && two.base_norm.is_none() && two.why.is_some());
    let (_, report, left_out, _) = case.merge().unwrap();
    assert_eq!((report.changed, left_out.len()), (1, 1));
    says(&left_out, "lora_te2_text_model");
}

#[test]
fn tied_lora_head() {
    let case = case("tied_lora_head");
    case.has_changes();
    says(&case.merges().1, "lm_head.weight: is new, as the head was tied to \"model.embed_tokens.weight\"");
    assert!(case.row("lm_head").base_norm.is_some());
}

#[test]
fn torch_bin() {
    assert!(refused("torch_bin").contains("torch.load"));
}

#[test]
fn trainable_tokens() {
    let case = case("trainable_tokens");
    case.has_changes();
    let (written, _, left_out, _) = case.merge().unwrap();
    assert_eq!(left_out, NOTHING);
    let values =
        |file: &lora_playground::files::Checkpoint<_>, name: &str| pollster::block_on(file.read(name)).unwrap().values;
    let name = "model.embed_tokens.weight";
    let (before, after) = (values(case.base.as_ref().unwrap(), name), values(&written, name));
    let held = values(&case.adapter.file, &case.adapter.whole[0].key);
    for row in 0..20 {
        let at = [3, 5].iter().position(|&picked| picked == row);
        let expected = at.map_or(&before[row * 24..][..24], |at| &held[at * 24..][..24]);
        assert_eq!(&after[row * 24..][..24], expected, "row {row}");
    }
    let saved = case.saved(&Edit { rank: Some(2), ..Edit::default() });
    assert!(saved.adapter.whole.len() == 1 && saved.config.unwrap()["trainable_token_indices"].is_object());
    let dropped = case.saved(&Edit { drop: vec![name.into()], ..Edit::default() });
    assert!(dropped.config.unwrap().get("trainable_token_indices").is_none());
}

#[test]
fn vl_adapter_text_base() {
    let case = case("vl_adapter_text_base");
    case.has_changes();
    assert!(case.row(&case.names()[0]).base_norm.is_none());
    assert!(case.refuses().contains("has no weight for \"vision_tower."));
}

#[test]
fn vl_gemma3() {
    let case = case("vl_gemma3");
    case.has_changes();
    assert_eq!(case.merges().0, NOTHING);
}

#[test]
fn vl_new_adapter_old_base() {
    let case = case("vl_new_adapter_old_base");
    case.has_changes();
    assert_eq!(case.merges().0, NOTHING);
}

#[test]
fn wan_diff() {
    let case = case("wan_diff");
    case.has_changes();
    assert_eq!(case.names().len(), 3);
    let (written, report, left_out, _) = case.merge().unwrap();
    assert_eq!((report.changed, left_out.as_slice()), (3, NOTHING));
    let values =
        |file: &lora_playground::files::Checkpoint<_>, name: &str| pollster::block_on(file.read(name)).unwrap().values;
    for (name, diff) in [("blocks.0.norm3.weight", "norm3.diff"), ("blocks.0.self_attn.q.bias", "self_attn.q.diff_b")] {
        let diff = values(&case.adapter.file, &format!("diffusion_model.blocks.0.{diff}"));
        let (before, after) = (values(case.base.as_ref().unwrap(), name), values(&written, name));
        let gap = |i: usize| (after[i] - before[i] - diff[i]).abs();
        assert!((0..16).all(|i| gap(i) < 1e-6), "{name}");
    }
    let doubled = case.saved(&Edit { scale: 2.0, ..Edit::default() });
    let diff =
        |adapter: &lora_playground::peft::Adapter<_>| values(&adapter.file, "diffusion_model.blocks.0.norm3.diff")[0];
    assert_eq!(diff(&doubled.adapter), 2.0 * diff(&case.adapter));
}
