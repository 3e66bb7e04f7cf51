//! Every shader is valid WGSL, and its `Dims` are the fields, in order and type, that its module writes.
#![cfg(not(target_arch = "wasm32"))]

use std::collections::BTreeSet;
use std::path::PathBuf;

use lora_playground::kernel::{self, Op, Target};
use naga::valid::{Capabilities, ValidationFlags, Validator};

fn all() -> Vec<Op> {
    use kernel::variant::{Op as Variant, budget, dora, factors, flex, orthogonal, prototype};
    use kernel::*;
    vec![
        Op::Project(project::Dims::default()),
        Op::LayerForward(layer::ForwardDims::default()),
        Op::LayerForward(layer::ForwardDims { base_cached: 1, slots: 8, ..Default::default() }),
        Op::LayerBackward(layer::BackwardDims::default()),
        Op::WeightGrad(weight_grad::Dims::default()),
        Op::WeightStep(weight_grad::Dims::default()),
        Op::WeightStep(weight_grad::Dims { m0: 8, m1: 8, ..Default::default() }),
        Op::GateForward(gate::Dims::default()),
        Op::GateBackward(gate::Dims::default()),
        Op::Balance(balance::Dims::default()),
        Op::IntuitionForward(intuition::Dims::default()),
        Op::IntuitionBackward(intuition::Dims::default()),
        Op::IntuitionSums(intuition::Dims::default()),
        Op::IntuitionStep(intuition::Dims::default()),
        Op::Gelu(gelu::Dims::default()),
        Op::GeluBackward(gelu::Dims::default()),
        Op::Add(add::Dims::default()),
        Op::Mse(mse::Dims::default()),
        Op::CrossEntropy(cross_entropy::Dims::default()),
        Op::Variant(Variant::Adamw(adamw::Dims::default())),
        Op::Variant(Variant::Quantise(factors::Dims::default())),
        Op::Variant(Variant::Truncate(factors::Dims::default())),
        Op::Variant(Variant::Diagonal(factors::Dims::default())),
        Op::Variant(Variant::DiagonalBackward(factors::Dims::default())),
        Op::Variant(Variant::Tile(factors::Dims::default())),
        Op::Variant(Variant::TileBackward(factors::Dims::default())),
        Op::Variant(Variant::Importance(budget::Dims::default())),
        Op::Variant(Variant::Score(budget::Dims::default())),
        Op::Variant(Variant::Allocate(budget::Dims::default())),
        Op::Variant(Variant::Dora(dora::Dims::default())),
        Op::Variant(Variant::DoraBackward(dora::Dims::default())),
        Op::Variant(Variant::DoraDown(dora::Dims::default())),
        Op::Variant(Variant::Orthogonal(orthogonal::Dims::default())),
        Op::Variant(Variant::Prototype(prototype::Dims::default())),
        Op::Variant(Variant::PrototypeBackward(prototype::Dims::default())),
        Op::Variant(Variant::Flex(flex::Dims::default())),
        Op::Variant(Variant::FlexBackward(flex::Dims::default())),
    ]
}

/// The module, validated as a browser would.
fn module(name: &str, source: &str) -> naga::Module {
    let module =
        naga::front::wgsl::parse_str(source).unwrap_or_else(|e| panic!("{}", e.emit_to_string_with_path(source, name)));
    Validator::new(ValidationFlags::all(), Capabilities::default() | Capabilities::SUBGROUP)
        .validate(&module)
        .unwrap_or_else(|e| panic!("{}", e.emit_to_string_with_path(source, name)));
    module
}

#[test]
fn every_file_is_valid_and_used() {
    let shaders: BTreeSet<_> = all().iter().flat_map(|op| Target::ALL.map(|target| op.shader(target))).collect();
    let used: BTreeSet<&str> = shaders.iter().flat_map(|(files, _)| files.iter().copied()).collect();
    let folder = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/shaders")).unwrap();
    let stem = |path: PathBuf| path.file_stem().unwrap().to_string_lossy().into_owned();
    let files: BTreeSet<_> = folder.map(|file| stem(file.unwrap().path())).collect();
    assert!(files.iter().map(String::as_str).eq(used), "{files:?}");
    for (files, _) in &shaders {
        let read =
            |file| std::fs::read_to_string(format!("{}/shaders/{file}.wgsl", env!("CARGO_MANIFEST_DIR"))).unwrap();
        module(files[0], &files.iter().map(read).collect::<String>());
    }
}

#[test]
fn dims_and_bindings_match_their_shaders() {
    for op in all() {
        let about = op.describe();
        for target in Target::ALL {
            let module = module(about.name, &op.shader(target).1);
            let dims = module.types.iter().find(|(_, t)| t.name.as_deref() == Some("Dims")).unwrap().1;
            let naga::TypeInner::Struct { members, .. } = &dims.inner else { panic!("Dims is no struct") };
            let names: Vec<_> = members.iter().map(|m| m.name.as_deref().unwrap()).collect();
            assert_eq!(names, about.dims, "{}", about.name);
            let entry = module.entry_points.iter().find(|e| e.name == op.entry(target)).unwrap();
            assert!(entry.workgroup_size.iter().product::<u32>() <= 256);
            let known = |name| module.overrides.iter().any(|(_, o)| o.name.as_deref() == Some(name));
            assert!(op.constants(target).iter().all(|&(name, _)| known(name)), "{}", about.name);
        }
        assert!(about.bindings.len() <= 8, "{}: more storage buffers than every device has", about.name);
    }
}
