//! Every shader is valid WGSL, its `Dims` are the fields, in order, that its module writes, and its bindings are those that
//! its kernel names. The kernels are those of the recordings by which shaders are held against their twins: one that no
//! such recording has is an error, so that nobody need keep a list.
#![cfg(not(target_arch = "wasm32"))]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::lanes::cases;
use lora_playground::config::Optimizer;
use lora_playground::fixed::Stored;
use lora_playground::graph::{Access, Form, Kernel, Target};
use lora_playground::net::{Bank, compile, continuation, gathering};
use naga::valid::{Capabilities, ValidationFlags, Validator};
use naga::{AddressSpace, StorageAccess};

/// Each kernel's forms, by the file and the name of the entry point.
fn all() -> BTreeMap<(&'static str, &'static str), (&'static Kernel, Form)> {
    let mut all = BTreeMap::new();
    for (_, task, lane) in cases() {
        let compiled = compile(&task, &lane, &Optimizer::default());
        // What has frozen tables is a language model, whose texts go on.
        let text = (!task.network.tensors().is_empty()).then(|| continuation(&task, &lane));
        let on = text.iter().flat_map(|text| &text.output);
        let many = gathering(&task, Bank { adapters: 3, rank: 4, scaling: 2.0 }).lane;
        for pass in
            compiled.output.iter().chain(&many.output).chain(on).chain(&compiled.gradients).chain(&compiled.train)
        {
            for form in Target::ALL.map(|target| pass.on(target)) {
                let file = form.quads.map_or(pass.kernel.file, |(file, _)| file);
                all.insert((file, form.entry), (pass.kernel, form));
            }
        }
    }
    all
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

/// File and name of every entry point in `shaders/`.
fn entries() -> BTreeSet<(String, String)> {
    let mut all = BTreeSet::new();
    let folder = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/shaders")).unwrap();
    for path in folder.map(|file| file.unwrap().path()).filter(|path| path.is_file()) {
        let text = std::fs::read_to_string(&path).unwrap();
        let name = path.file_stem().unwrap().to_str().unwrap();
        for after in text.split("@compute").skip(1) {
            let entry = after.split("fn ").nth(1).and_then(|rest| rest.split('(').next()).unwrap();
            all.insert((name.to_owned(), entry.to_owned()));
        }
    }
    all
}

#[test]
fn every_entry_point_is_in_a_recording() {
    let used: BTreeSet<_> = all().into_keys().map(|(file, entry)| (file.to_owned(), entry.to_owned())).collect();
    assert_eq!(entries(), used);
}

#[test]
fn dims_and_bindings_match_their_shaders() {
    let stored = |kernel: &Kernel| match kernel.frozen() {
        Some(_) => vec![Stored::F32, Stored::Bf16, Stored::F16],
        None => vec![Stored::F32],
    };
    let all = all()
        .into_values()
        .flat_map(|(kernel, form)| stored(kernel).into_iter().map(move |of| (kernel, form.clone(), of)));
    for (kernel, form, stored) in all {
        let name = kernel.name;
        let module = module(name, &kernel.text(&form, stored));
        let dims = module.types.iter().find(|(_, t)| t.name.as_deref() == Some("Dims")).unwrap().1;
        let naga::TypeInner::Struct { members, .. } = &dims.inner else { panic!("Dims is no struct") };
        let names: Vec<_> = members.iter().map(|m| m.name.as_deref().unwrap()).collect();
        assert_eq!(names, kernel.dims, "{name}");
        let entry = module.entry_points.iter().find(|e| e.name == form.entry).unwrap();
        assert!(entry.workgroup_size.iter().product::<u32>() <= 256);
        let known = |constant| module.overrides.iter().any(|(_, o)| o.name.as_deref() == Some(constant));
        assert!(form.constants.iter().all(|&(constant, _)| known(constant)), "{name}");
        assert!(kernel.bindings.len() <= 8, "{name}: more storage buffers than every device has");
        // What an entry point binds to a place is named as the kernel has it, but for what follows an underscore: a name
        // has one place in a file, and entry points may bind the same buffer at different ones.
        for (binding, &(wanted, access)) in (1..).zip(kernel.bindings) {
            let here = |v: &naga::GlobalVariable| v.binding.is_some_and(|b| b.group == 1 && b.binding == binding);
            let named = |v: &naga::GlobalVariable| {
                let name = v.name.as_deref().unwrap_or_default();
                name == wanted || name.strip_prefix(wanted).is_some_and(|rest| rest.starts_with('_'))
            };
            let stores = |v: &naga::GlobalVariable| {
                let AddressSpace::Storage { access } = v.space else { panic!("{name}: {wanted}") };
                access.contains(StorageAccess::STORE)
            };
            let mut known = module.global_variables.iter().map(|(_, v)| v).filter(|v| here(v) && named(v));
            assert!(
                known.any(|v| stores(v) == (access == Access::Write)),
                "{name}: {wanted} is not at {binding}, as {access:?}"
            );
        }
    }
}
