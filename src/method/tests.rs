//! What must hold of every method: what it declares is what it records, and an untrained adapter changes nothing.

use super::description::{Axis, Change, Parameter, Widths};
use super::modifier::list::{MODIFIERS, settings};
use super::site::LayerSite;
use super::{Lane, METHODS, find};
use crate::args::{Kind, Value};
use crate::graph::{Arena, NOTHING, SINK};

const WIDTHS: [Widths; 3] =
    [Widths { inputs: 64, outputs: 64 }, Widths { inputs: 11, outputs: 7 }, Widths { inputs: 16, outputs: 40 }];

/// Every method at its defaults, and with each of its choices and switches.
pub fn lanes() -> Vec<Lane> {
    let mut all = Vec::new();
    for method in METHODS {
        let usual = Lane::from(*method);
        for setting in usual.described() {
            match setting.kind {
                Kind::Choice(names) => {
                    all.extend(names.iter().map(|&name| usual.clone().with(setting.key, name).with_bounds()));
                }
                Kind::Flag => all.push(usual.clone().with(setting.key, true)),
                Kind::Divisor(_) => all.extend([1, 2, 4].map(|p: usize| usual.clone().with(setting.key, p))),
                Kind::Whole(_) | Kind::Real(_) | Kind::PerLayer(..) => {}
            }
        }
        all.push(usual);
    }
    all
}

#[test]
fn what_is_declared_is_what_is_recorded() {
    for lane in lanes() {
        for widths in WIDTHS {
            let place = LayerSite {
                name: "layers.0",
                x: SINK,
                weight: NOTHING,
                x_batched: true,
                dy: SINK,
                tokens: 16,
                real_tokens: 12,
                sequence: 4,
                positions: 0,
                index: 0,
                count: 1,
                inputs: widths.inputs,
                outputs: widths.outputs,
            };
            let mut arena = Arena::new(16);
            let adapted = (lane.method.record)(&lane.settings, &place, &mut arena);
            let declared = (lane.method.parameters)(&lane.settings, widths);
            let of = |trained: bool| -> Vec<(String, Vec<usize>)> {
                let own = declared.iter().filter(|parameter| parameter.trained == trained);
                let mut all: Vec<_> = own.map(|p| (format!("layers.0.{}", p.name), p.shape(widths))).collect();
                all.sort();
                all
            };
            let recorded = |tensors: &[crate::graph::Tensor]| {
                let mut all: Vec<_> = tensors.iter().map(|t| (t.name.clone(), t.shape.clone())).collect();
                all.sort();
                all
            };
            assert_eq!(of(true), recorded(&arena.tensors), "{lane:?}");
            assert_eq!(of(false), recorded(&arena.frozen_parameters), "{lane:?}");
            // The tensors that its change is made of are there, as large as it says.
            let held = |name: &str| {
                let full = format!("layers.0.{name}");
                let made = adapted.effective_factors.iter().map(|(_, tensor)| tensor);
                made.chain(&arena.tensors).find(|t| t.name == full).map(|t| t.shape.iter().product::<usize>())
            };
            match (lane.method.change)(&lane.settings, widths) {
                Change::Dense(name) => assert_eq!(held(name), Some(widths.inputs * widths.outputs), "{lane:?}"),
                Change::Product(product) => {
                    let (read, write) =
                        product.readers.map_or((product.experts, product.experts), |p| (p, product.experts / p));
                    assert_eq!(held(product.a), Some(read * product.rank * widths.inputs), "{lane:?}");
                    assert_eq!(held(product.b), Some(write * product.rank * widths.outputs), "{lane:?}");
                    assert_eq!(product.gated, adapted.gate.is_some(), "{lane:?}");
                }
            }
            assert_eq!(lane.is_gated(), adapted.gate.is_some(), "{lane:?}");
        }
    }
}

#[test]
fn sizes_that_a_slider_can_reach_are_allowed() {
    for lane in lanes() {
        let Some(size) = lane.method.extras.size else { continue };
        for to in 1..=size.furthest {
            let other = lane.resized(to);
            assert!(other.broken_limit(1).is_none(), "{other:?}");
            assert!(other.settings.get(size.key) != Some(&Value::Unset));
        }
    }
}

#[test]
fn axes_say_what_they_count() {
    let parameter =
        Parameter::trained("w", [Axis::Experts(3), Axis::Outputs, Axis::Rank(2)], super::description::Start::Zero);
    assert_eq!(parameter.shape(WIDTHS[1]), [3, 7, 2]);
    assert_eq!(parameter.len(WIDTHS[1]), 42);
}

#[test]
fn names_are_one_thing_each() {
    for (i, method) in METHODS.iter().enumerate() {
        assert!(METHODS[..i].iter().all(|other| other.name != method.name && other.title != method.title));
        let all = settings(method);
        for (j, setting) in all.iter().enumerate() {
            let word = |other: &&&crate::args::Setting| {
                other.key == setting.key || !other.link.is_empty() && other.link == setting.link
            };
            assert!(all[..j].iter().find(word).is_none(), "{} {}", method.name, setting.key);
            assert!(!setting.why.is_empty() || setting.key == "rank" || setting.key == "experts", "{}", setting.key);
        }
    }
    for modifier in MODIFIERS {
        assert!(modifier.applies_to.iter().all(|name| find(name).is_some()), "{}", modifier.name);
    }
}

#[test]
fn a_drawing_is_said_in_a_sentence() {
    let say = |lane: Lane| super::drawing::Drawing::new(&lane, 0, WIDTHS[0]).sentence();
    let both = "x goes through the frozen W0 and through ";
    for (lane, rest) in [
        (Lane::from(&super::FULL), "ΔW (64 × 64). ΔW begins at zero: nothing is added at first."),
        (
            Lane::from(&super::LORA).with("rank", 4),
            "A (4 × 64), then B (64 × 4): 4 numbers are kept in between. B begins at zero: nothing is added at first.",
        ),
        (
            Lane::from(&super::MOLORA),
            "A (2 × 64), then B (64 × 2), 4 times, each weighed by its gate. The gate reads x alone. B begins at zero: nothing is added at first.",
        ),
        (
            Lane::from(&super::MOR1E).with("flex", 2),
            "v (1 × 64), then u (64 × 1): 2 that read and 4 that write, joined by 8 gates. The gate reads the mean of x's whole sequence. u begins at zero: nothing is added at first.",
        ),
        (
            Lane::from(&super::DORA),
            "A (8 × 64), then B (64 × 8): 8 numbers are kept in between. Then each row of the weight so made gets a trained length, m (64). B begins at zero: nothing is added at first.",
        ),
        (
            Lane::from(&super::MORA),
            "fold, then M (32 × 32), then tile: 32 numbers are kept in between. M begins at zero: nothing is added at first.",
        ),
        (
            Lane::from(&super::VERA),
            "A (8 × 64, frozen), then λ_d (8), then B (64 × 8, frozen), then λ_b (64): 8 numbers are kept in between. λ_b begins at zero: nothing is added at first.",
        ),
    ] {
        assert_eq!(say(lane), format!("{both}{rest}"));
    }
    // More directions than there are outputs: all of them pass.
    let wide = super::drawing::Drawing::new(&Lane::from(&super::LORA), 0, Widths { inputs: 6, outputs: 2 });
    assert!(wide.sentence().contains("A (8 × 6), then B (2 × 8): 8 numbers"), "{}", wide.sentence());
    let pissa = say(Lane::from(&super::LORA).with("init", "pissa"));
    assert!(
        pissa.starts_with("x goes through what is left of W0")
            && pissa.ends_with("Both began as W0's own largest directions.")
    );
}
