//! The lanes' TypeScript types follow from what methods declare: `src/api/lanes.d.ts` is written from the settings'
//! descriptions, by `UPDATE_TYPES=1 cargo test --test config_types`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use lora_playground::args::{Kind, Named, Projection, SavedModule, Setting};
use lora_playground::method::description::Method;
use lora_playground::method::{Lane, METHODS};

const HEAD: &str = "// Written by tests/config_types.rs from what each method declares of its settings.\n";

fn kind(setting: &Setting) -> String {
    match setting.kind {
        Kind::Whole(_) | Kind::Real(_) | Kind::Divisor(_) => "number".into(),
        Kind::Flag => "boolean".into(),
        Kind::Choice(names) => union(names),
        Kind::PerLayer(..) => "number[]".into(),
    }
}

fn union(names: &[&str]) -> String {
    names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(" | ")
}

fn comment(out: &mut String, indent: &str, text: &str) {
    if !text.is_empty() {
        let _ = writeln!(out, "{indent}/** {} */", text.replace("*/", "* /"));
    }
}

fn lane(out: &mut String, method: &'static Method, shared: &str) {
    let mut objects: BTreeMap<&str, Vec<(&str, &Setting)>> = BTreeMap::new();
    let settings = Lane::from(method).described();
    comment(out, "", method.why);
    let _ = writeln!(out, "export type {} = {shared} & {{", type_name(method));
    let _ = writeln!(out, "  method: \"{}\";", method.name);
    for setting in settings {
        match setting.key.split_once('.') {
            Some((object, key)) => objects.entry(object).or_default().push((key, setting)),
            None => {
                comment(out, "  ", setting.why);
                let _ = writeln!(out, "  {}?: {};", setting.key, kind(setting));
            }
        }
    }
    for (object, settings) in objects {
        let _ = writeln!(out, "  {object}?: {{");
        for (key, setting) in settings {
            comment(out, "    ", setting.why);
            let _ = writeln!(out, "    {key}?: {};", kind(setting));
        }
        let _ = writeln!(out, "  }};");
    }
    let _ = writeln!(out, "}};\n");
}

fn type_name(method: &Method) -> String {
    let (first, rest) = method.name.split_at(1);
    format!("{}{rest}Lane", first.to_uppercase())
}

fn types() -> String {
    let mut out = String::from(HEAD);
    let projections: Vec<&str> = Projection::ALL.iter().map(|one| one.name()).collect();
    let tables: Vec<&str> = SavedModule::ALL.iter().map(|one| one.name()).collect();
    let _ = write!(
        out,
        "\n/** What a lane may say whatever its method. */\nexport type AnyLane = {{\n  \
         /** Layers that it adapts; all if left out. */\n  layers?: number[];\n  \
         /** Projections of a language model that it adapts; all seven if left out. */\n  targets?: ({})[];\n  \
         /** Tables of a language model that it trains whole, as PEFT does. */\n  modules_to_save?: ({})[];\n  \
         /** Its own learning rate, in place of the optimizer's. */\n  lr?: number;\n}};\n\n",
        union(&projections),
        union(&tables)
    );
    METHODS.iter().for_each(|method| lane(&mut out, method, "AnyLane"));
    let all: Vec<String> = METHODS.iter().map(|method| type_name(method)).collect();
    let _ = writeln!(out, "export type LaneConfig = {};", all.join(" | "));
    out
}

#[test]
fn types_of_lanes_are_as_methods_declare_them() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/api/lanes.d.ts");
    let types = types();
    if std::env::var_os("UPDATE_TYPES").is_some() {
        std::fs::write(&path, &types).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == types,
        "src/api/lanes.d.ts is older than the methods: UPDATE_TYPES=1 cargo test --test config_types"
    );
}
