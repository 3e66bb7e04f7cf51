//! The document and the link, checked against the contract's example, and at their edges.

use serde_json::{Value, json};

use super::{Config, DigitDomain, Digits, Domains, Lane, Named, Schedule, Task};
use crate::method::{FULL, LORA, MOLORA, MOR1E};

const EXAMPLE: &str = r#"{"version":1,"seed":1,"backend":"auto",
 "task":{"kind":"domains","dim":64,"domains":4,"true_rank":2,"conflict":true,"spectrum":"flat","sequence":8,"mixed":false,"noise":0.0,"batch":32},
 "lanes":[{"method":"lora","rank":8,"alpha":16,"rslora":false},
          {"method":"molora","experts":4,"rank":2,"alpha":4,"top_k":0,"renormalize":false,"balance":{"kind":"none","coefficient":0.0}},
          {"method":"mor1e","experts":8,"alpha":2,"gate":"pooled","hidden":8,"balance":{"kind":"none","coefficient":0.0}},
          {"method":"full"}],
 "optimizer":{"lr":0.01,"beta1":0.9,"beta2":0.999,"eps":1e-8,"weight_decay":0.0},
 "schedule":{"warmup":50,"total":2000}}"#;

fn document(change: impl FnOnce(&mut Value)) -> Value {
    let mut value: Value = serde_json::from_str(EXAMPLE).unwrap();
    change(&mut value);
    value
}

fn error(change: impl FnOnce(&mut Value)) -> String {
    Config::from_value(&document(change)).unwrap_err().to_string()
}

/// MoR1E with eight experts behind a prototype gate, and this besides.
fn prototype(more: Value) -> Value {
    let mut lane = json!({"method": "mor1e", "gate": "prototype"});
    more.as_object().unwrap().iter().for_each(|(key, value)| lane[key] = value.clone());
    lane
}

fn query_error(query: &str) -> String {
    Config::from_query(query).unwrap_err().to_string()
}

#[test]
fn example_reads_as_written() {
    let config = Config::from_json(EXAMPLE).unwrap();
    let mor1e = Lane::from(&MOR1E).with("hidden", 8);
    assert_eq!(
        config,
        Config { lanes: vec![(&LORA).into(), (&MOLORA).into(), mor1e, (&FULL).into()], ..Config::default() }
    );
    assert_eq!(Config::from_value(&config.to_value()).unwrap(), config);
}

/// Every key but `version` and `lanes` left out, one at a time, reads as if the example's value stood there.
#[test]
fn every_default_is_the_example() {
    let whole = Config::from_json(EXAMPLE).unwrap();
    let mut pointers = Vec::new();
    for top in ["seed", "backend", "task", "optimizer", "schedule"] {
        pointers.push((String::new(), top.to_string()));
    }
    let example = document(|_| ());
    for parent in ["/task", "/optimizer", "/schedule", "/lanes/0", "/lanes/1"] {
        for key in example.pointer(parent).unwrap().as_object().unwrap().keys() {
            // Without its method, a lane is a LoRA, which the second is not.
            if (parent, key.as_str()) != ("/lanes/1", "method") {
                pointers.push((parent.into(), key.clone()));
            }
        }
    }
    for key in ["experts", "alpha", "gate", "balance"] {
        pointers.push(("/lanes/2".into(), key.into()));
    }
    for key in ["kind", "coefficient"] {
        pointers.push(("/lanes/1/balance".into(), key.into()));
    }
    assert_eq!(pointers.len(), 5 + 10 + 5 + 2 + 4 + 6 + 4 + 2);
    for (parent, key) in pointers {
        let value = document(|value| {
            let parent = value.pointer_mut(&parent).unwrap();
            assert!(parent.as_object_mut().unwrap().remove(&key).is_some());
        });
        assert_eq!(Config::from_value(&value).unwrap(), whole, "without {parent}/{key}");
    }
    let bare = Config::from_json(r#"{"version":1,"lanes":[{"method":"mor1e"}]}"#).unwrap();
    assert_eq!(bare, Config { lanes: vec![(&MOR1E).into()], ..Config::default() });
}

#[test]
fn digits_default() {
    let value = json!({"version": 1, "task": {"kind": "digits"}, "lanes": [{"method": "full"}]});
    let Task::Digits(digits) = Config::from_value(&value).unwrap().task else {
        panic!("not digits");
    };
    let names: Vec<&str> = digits.domains.iter().map(|one| one.name()).collect();
    assert_eq!(names, ["inverted", "rotated", "mirrored", "shifted"]);
    assert_eq!((digits.batch, digits.pretrain), (64, 1500));
}

#[test]
fn errors_name_key_value_and_range() {
    assert_eq!(
        error(|v| v["lanes"][1]["top_k"] = json!(5)),
        "lanes[1].top_k: 5 is not allowed; a whole number from 0 to 4"
    );
    assert_eq!(
        error(|v| v["optimizer"]["lr"] = json!(-0.1)),
        "optimizer.lr: -0.1 is not allowed; a number from 0 to 100"
    );
    assert_eq!(
        error(|v| v["optimizer"]["beta1"] = json!(1.0)),
        "optimizer.beta1: 1 is not allowed; a number from 0 to below 1"
    );
    assert_eq!(
        error(|v| v["lanes"][0]["rnak"] = json!(4)),
        "lanes[0].rnak: 4 is not allowed; there is no such key; method \"lora\" has method, rank, alpha, \
         rslora, lr_ratio, init, weights, rank_per_layer, layers, targets, modules_to_save, lr, begin"
    );
    assert_eq!(
        error(|v| v["task"]["true_rank"] = json!(17)),
        "task.true_rank: 17 is not allowed; with 4 domains, domains · true_rank = 68 orthogonal directions \
         must fit into dim = 64"
    );
    assert_eq!(
        error(|v| v["backend"] = json!("gpu")),
        "backend: \"gpu\" is not allowed; one of \"auto\", \"webgpu\", \"cpu\""
    );
    assert_eq!(
        error(|v| drop(v.as_object_mut().unwrap().remove("version"))),
        "version: leaving it out is not allowed; it must be given"
    );
    assert_eq!(
        error(|v| v["lanes"][0]["layers"] = json!([1])),
        "lanes[0].layers[0]: 1 is not allowed; task \"domains\" has 1 layer, counted from 0"
    );
    assert_eq!(query_error("lr=fast"), "lr: \"fast\" is not allowed; a number from 0 to 100");
    assert_eq!(query_error("lanes=lora.r0"), "lanes[0].rank: 0 is not allowed; a whole number from 1 to 512");
    assert!(query_error("colour=red").starts_with("colour: \"red\" is not allowed; there is no such key"));
}

/// Each case: where, what, and the key that the error must name.
#[test]
fn refused_values() {
    let cases: &[(&str, Value, &str)] = &[
        ("/version", json!(2), "version"),
        ("/version", json!("1"), "version"),
        ("/seed", json!(-1), "seed"),
        ("/seed", json!(4_294_967_296_u64), "seed"),
        ("/seed", json!(1.5), "seed"),
        ("/lanes", json!([]), "lanes"),
        ("/lanes", json!({}), "lanes"),
        ("/lanes", Value::Array(vec![json!({}); 9]), "lanes"),
        ("/lanes/0", json!("lora"), "lanes[0]"),
        ("/lanes/0/method", json!("loha"), "lanes[0].method"),
        ("/lanes/0/init", json!("gaussian"), "lanes[0].init"),
        ("/lanes/0/lr_ratio", json!(0), "lanes[0].lr_ratio"),
        ("/lanes/0/rank_per_layer", json!([4, 4]), "lanes[0].rank_per_layer"),
        ("/lanes/0/rank_per_layer", json!([0]), "lanes[0].rank_per_layer[0]"),
        ("/lanes/1/temperature", json!(0), "lanes[1].temperature"),
        ("/lanes/1/experts_per_layer", json!(4), "lanes[1].experts_per_layer"),
        ("/lanes/2/orthogonality", json!(-1), "lanes[2].orthogonality"),
        ("/task/depth", json!(9), "task.depth"),
        ("/lanes/0/method", json!(1), "lanes[0].method"),
        ("/lanes/0/rank", json!(0), "lanes[0].rank"),
        ("/lanes/0/rank", json!(513), "lanes[0].rank"),
        ("/lanes/0/rank", json!(1e300), "lanes[0].rank"),
        ("/lanes/0/rank", json!(null), "lanes[0].rank"),
        ("/lanes/0/alpha", json!(0), "lanes[0].alpha"),
        ("/lanes/0/alpha", json!("16"), "lanes[0].alpha"),
        ("/lanes/0/rslora", json!(1), "lanes[0].rslora"),
        ("/lanes/0/layers", json!([]), "lanes[0].layers"),
        ("/lanes/0/layers", json!([0, 0]), "lanes[0].layers[1]"),
        ("/lanes/0/layers", json!([-1]), "lanes[0].layers[0]"),
        ("/lanes/0/layers", json!([1e30]), "lanes[0].layers[0]"),
        ("/lanes/1/experts", json!(65), "lanes[1].experts"),
        ("/lanes/1/rank", json!(129), "lanes[1].rank"),
        ("/lanes/1/balance/kind", json!("l2"), "lanes[1].balance.kind"),
        ("/lanes/1/balance/coefficient", json!(-1), "lanes[1].balance.coefficient"),
        ("/lanes/1/balance", json!("none"), "lanes[1].balance"),
        ("/lanes/2/gate", json!("prototypes"), "lanes[2].gate"),
        // The example's width is the network's.
        ("/lanes/2/gate", json!("prototype"), "lanes[2].hidden"),
        ("/lanes/2", prototype(json!({"balance": {"kind": "entropy", "coefficient": 1}})), "lanes[2].balance.kind"),
        ("/lanes/2", prototype(json!({"balance": {"kind": "switch"}})), "lanes[2].balance.kind"),
        ("/lanes/2", prototype(json!({"flex": 3})), "lanes[2].flex"),
        ("/lanes/2", prototype(json!({"flex": 0})), "lanes[2].flex"),
        ("/lanes/2", prototype(json!({"flex": 2, "experts_per_layer": [5]})), "lanes[2].flex"),
        ("/lanes/1/flex", json!(2), "lanes[1].flex"),
        ("/lanes/2/hidden", json!(1), "lanes[2].hidden"),
        ("/lanes/2/rank", json!(1), "lanes[2].rank"),
        ("/lanes/3/rank", json!(1), "lanes[3].rank"),
        ("/task/kind", json!("words"), "task.kind"),
        ("/task/kind", json!("custom"), "task.batch"),
        ("/task/dim", json!(3), "task.dim"),
        ("/task/dim", json!(257), "task.dim"),
        ("/task/domains", json!(9), "task.domains"),
        ("/task/domains", json!(["inverted"]), "task.domains"),
        ("/task/conflict", json!("yes"), "task.conflict"),
        ("/task/spectrum", json!("round"), "task.spectrum"),
        ("/task/sequence", json!(65), "task.sequence"),
        ("/task/batch", json!(0), "task.batch"),
        ("/task/batch", json!(513), "task.batch"),
        ("/task/noise", json!(-0.5), "task.noise"),
        ("/task", json!({"batch": 65, "sequence": 64}), "task.batch"),
        ("/task", json!({"conflict": false, "true_rank": 16}), "task.true_rank"),
        ("/task", json!({"domains": 1, "true_rank": 64}), "task.true_rank"),
        ("/task", json!({"kind": "digits", "domains": []}), "task.domains"),
        ("/task", json!({"kind": "digits", "domains": ["upright"]}), "task.domains[0]"),
        ("/task", json!({"kind": "digits", "domains": ["shifted", "shifted"]}), "task.domains[1]"),
        ("/task", json!({"kind": "digits", "dim": 64}), "task.dim"),
        ("/task", json!({"kind": "sensors", "patterns": []}), "task.patterns"),
        ("/task", json!({"kind": "sensors", "patterns": ["both", "middle"]}), "task.patterns[1]"),
        ("/task", json!({"kind": "sensors", "form": "images"}), "task.form"),
        ("/task", json!({"kind": "custom", "dim": 64}), "task.dim"),
        ("/optimizer/beta2", json!(-0.1), "optimizer.beta2"),
        ("/optimizer/eps", json!(0), "optimizer.eps"),
        ("/optimizer/lr", json!(101), "optimizer.lr"),
        ("/optimizer", json!([]), "optimizer"),
        ("/schedule/warmup", json!(2001), "schedule.warmup"),
        ("/schedule/total", json!(0), "schedule.total"),
    ];
    for (pointer, value, key) in cases {
        let (parent, last) = pointer.rsplit_once('/').unwrap();
        let message = error(|v| match v.pointer_mut(parent).unwrap() {
            Value::Array(items) => items[last.parse::<usize>().unwrap()] = value.clone(),
            object => object[last] = value.clone(),
        });
        assert!(message.starts_with(&format!("{key}: ")), "{pointer} = {value}: {message}");
    }
}

#[test]
fn edges_of_ranges_are_allowed() {
    let config = Config::from_value(&document(|v| {
        v["task"] =
            json!({"dim": 64, "domains": 1, "true_rank": 16, "spectrum": "harmonic", "batch": 512, "sequence": 8.0});
        v["seed"] = json!(u32::MAX);
        v["optimizer"]["lr"] = json!(0);
        v["schedule"] = json!({"total": 20});
        v["lanes"][1]["top_k"] = json!(4);
    }))
    .unwrap();
    assert_eq!(config.seed, u32::MAX);
    assert_eq!(config.schedule, Schedule { warmup: 20, total: 20 });
    assert!(Config::from_value(&document(|v| v["task"] = json!({"conflict": false, "true_rank": 15}))).is_ok());
}

#[test]
fn numbers_that_json_cannot_hold_are_refused() {
    let mut config = Config::default();
    config.optimizer.lr = f64::NAN;
    assert!(config.validate().unwrap_err().to_string().starts_with("optimizer.lr: null"));
    assert!(Config::default().validate().is_ok());
    assert!(Config::from_json("{\"version\":1,\"lanes\":[{}],\"seed\":1e999}").is_err());
    assert!(Config::from_json("").unwrap_err().to_string().starts_with("the configuration is not valid JSON"));
}

#[test]
fn query_writes_only_what_differs() {
    let mut config = Config::default();
    assert_eq!(config.to_query(), "");
    config.seed = 7;
    config.optimizer.lr = 0.02;
    config.optimizer.eps = 1e-7;
    config.task = Task::Domains(Domains { dim: 32, ..Domains::default() });
    config.lanes.truncate(2);
    let molora = Lane::from(&MOLORA).with("alpha", 0.5).with("top_k", 2).with("renormalize", true);
    config.lanes.push(molora.with("balance.kind", "entropy").with("balance.coefficient", 0.05).on(vec![0]));
    let query = "seed=7&dim=32&lr=0.02&eps=1e-7&lanes=full~lora.r8~molora.n4.r2.a0.5.k2.norm.entropy0.05.l0";
    assert_eq!(config.to_query(), query);
    assert_eq!(Config::from_query(query).unwrap(), config);
    config.task = Task::Digits(Digits::default());
    assert!(config.to_query().starts_with("task=digits&seed=7&lr"));
}

#[test]
fn prototypes_and_shared_vectors() {
    let query = "lanes=mor1e.n8.prototype~mor1e.n6.token.flex2~mor1e.n6.prototype.flex3";
    let config = Config::from_query(&format!("all&{query}")).unwrap();
    assert_eq!(config.to_query(), query);
    // As links said once that asked for a larger build of the page.
    assert_eq!(Config::from_query(&format!("all&{query}")).unwrap(), config);
    assert!(config.lanes.iter().all(|lane| !lane.is_scripted() && !lane.can_resize()));
    let flex = |lane: &Lane| lane.settings.maybe_whole("flex");
    assert_eq!([0, 1, 2].map(|l| flex(&config.lanes[l])), [None, Some(2), Some(3)]);
    // At another size as many vectors read, so that not every size is to be had.
    let resized = [1, 3, 7, 8, 9].map(|n| config.lanes[2].resized(n));
    assert!(resized.iter().all(|lane| flex(lane) == Some(3)));
    assert_eq!(resized.map(|lane| lane.settings.whole("experts")), [3, 3, 6, 6, 9]);
    assert_eq!(
        error(|v| v["lanes"][2] = prototype(json!({"flex": 3}))),
        "lanes[2].flex: 3 is not allowed; a divisor of experts, which is 8"
    );
}

#[test]
fn query_is_read_as_browsers_write_it() {
    let plain = Config::from_query("task=digits&domains=inverted~shifted&lanes=full~mor1e.n4.token.h6.l0-2").unwrap();
    let encoded =
        "?paused&embed=loss,gates&task=digits&domains=inverted%7Eshifted&&lanes=full%7emor1e.n4.token.h6.l0%2D2&";
    assert_eq!(Config::from_query(encoded).unwrap(), plain);
    assert_eq!(plain.lanes[1].layers, Some(vec![0, 2]));
    assert!(matches!(&plain.task, Task::Digits(digits) if digits.domains[1] == DigitDomain::Shifted));
}

#[test]
fn hostile_queries_are_errors() {
    let long = "lanes=".to_string() + &"lora~".repeat(10_000);
    let deep = format!("lanes={}", "l".repeat(100_000));
    for query in [
        "%",
        "%zz=1",
        "%ff=1",
        "a=%",
        "seed=%00",
        "seed=1&seed=2",
        "seed",
        "seed=",
        "seed=-1",
        "seed=1e99",
        "lr=nan",
        "lr=inf",
        "lr=1e400",
        "lr=+1",
        "conflict=1",
        "domains=inverted",
        "task=digits&domains=4",
        "task=digits&dim=4",
        "task=",
        "pretrain=5",
        "lanes=",
        "lanes=~",
        "lanes=.",
        "lanes=lora.",
        "lanes=lora..r4",
        "lanes=lora.4",
        "lanes=lora.r",
        "lanes=lora.r4.r4",
        "lanes=lora.r4.5",
        "lanes=full.r4",
        "lanes=lora.ré",
        "lanes=molora.entropy",
        "lanes=molora.entropy1.switch1",
        "lanes=lora.l",
        "lanes=lora.l-",
        "lanes=lora.l0-0",
        "lanes=lora.rs1",
        "__proto__=1",
        "version=1",
        "=",
        "=1",
        "lanes[0]=full",
        &long,
        &deep,
    ] {
        let message = query_error(query);
        assert!(message.len() < 600, "{message}");
        let config = Config::read_link(query).config;
        assert!(config.validate().is_ok(), "{query}");
    }
}

/// Every method, with each of its choices and switches: a link and a document bring it back, or say what is not allowed.
#[test]
fn every_lane_comes_back_from_links_and_documents() {
    for method in crate::method::METHODS {
        let usual = Lane::from(*method);
        let mut lanes = vec![usual.clone()];
        for setting in usual.described() {
            match setting.kind {
                crate::args::Kind::Choice(names) => {
                    lanes.extend(names.iter().map(|&name| usual.clone().with(setting.key, name)))
                }
                crate::args::Kind::Flag => lanes.push(usual.clone().with(setting.key, true)),
                crate::args::Kind::Divisor(_) => {
                    lanes.extend([2, 3].map(|p: usize| usual.clone().with(setting.key, p)))
                }
                _ => {}
            }
        }
        for lane in lanes {
            assert_eq!(Lane::from_text(&lane.to_text()).unwrap(), lane);
            let all = Config { lanes: vec![lane.clone()], ..Config::default() };
            let read = Config::from_value(&all.to_value()).ok().map(|config| config.lanes[0].clone());
            assert_eq!(read, lane.broken_limit(1).is_none().then_some(lane));
        }
    }
}

/// A link that names the task alone has lanes that go with it.
#[test]
fn text_brings_lanes_of_its_own() {
    let config = Config::from_query("task=text").unwrap();
    assert_eq!(config.lanes, Config::default_lanes("text"));
    assert!(config.lanes.iter().all(|lane| lane.lr.is_some()));
    assert_eq!(config.to_query(), "task=text");
}
