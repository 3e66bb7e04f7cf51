//! Why adapters cannot be combined, on lists made by hand.

use super::combining::{apart, obstacle};
use super::state::{Msg, State, update};
use super::wire::{Base, Order, Report};
use crate::files::Dtype;
use crate::peft::combine::Combination;
use crate::peft::module::Kind;
use crate::peft::overview::{Form, Overview};

fn row(name: &str, rank: usize, shape: (usize, usize)) -> Overview {
    Overview {
        name: name.into(),
        form: Form::Lora,
        kind: Kind::Linear,
        dtype: Dtype::F16,
        rank,
        scaling: 1.0,
        parameters: 0,
        shape,
        norm: None,
        base_norm: None,
        singular: vec![],
        exact: true,
        not_finite: false,
        why: None,
    }
}

#[test]
fn what_cannot_be_combined_is_named_with_its_adapters() {
    let four = [row("l.0.q", 4, (8, 8)), row("l.0.v", 4, (8, 8))];
    let eight = [row("l.0.q", 8, (8, 8))];
    let svd = Combination::Svd(None);
    assert_eq!(obstacle(&[("a", &four), ("b", &eight)], svd), None);
    let said = obstacle(&[("a", &four), ("b", &eight)], Combination::Linear).unwrap();
    assert!(said.contains("l.0.q has rank 4 in a and 8 in b"), "{said}");
    let wide = [row("l.0.v", 4, (8, 16))];
    let said = obstacle(&[("a", &four), ("c", &wide)], svd).unwrap();
    assert!(said.contains("l.0.v is 8 × 8 in a and 8 × 16 in c"), "{said}");
    let dora = [Overview { form: Form::Dora, ..row("l.0.q", 4, (8, 8)) }];
    assert!(obstacle(&[("a", &four), ("d", &dora)], svd).unwrap().starts_with("d is DoRA (l.0.q)"));
    let whole = [Overview { form: Form::Whole, ..row("head", 0, (8, 8)) }];
    assert!(obstacle(&[("a", &four), ("w", &whole)], svd).unwrap().starts_with("w has no module"));
}

#[test]
fn adapters_of_other_modules_are_said_to_lie_beside_each_other() {
    let (q, v) = ([row("l.0.q", 4, (8, 8))], [row("l.0.v", 4, (8, 8))]);
    assert_eq!(apart(&[("a", &q), ("b", &q)]), None);
    assert_eq!(apart(&[("a", &q)]), None);
    assert!(apart(&[("a", &q), ("b", &v)]).unwrap().starts_with("a has no module in common"));
}

#[test]
fn a_replaced_base_is_said_and_old_problems_go() {
    let mut state = State::default();
    update(&mut state, Msg::Report(Report::Ready));
    let base = |name: &str| Some(Base { name: name.into(), files: 1, bytes: 1.0, tensors: 1, dtype: None });
    let opened =
        |name: &str| Report::Opened { adapters: vec![], base: base(name), refused: vec![], passed_over: vec![] };
    update(&mut state, Msg::Report(opened("first")));
    assert!(state.notes.is_empty());
    update(&mut state, Msg::Report(opened("second")));
    assert!(state.notes[0].starts_with("second takes the place of the base that was open, first"), "{:?}", state.notes);
    update(&mut state, Msg::Say("it went wrong".into()));
    assert_eq!(update(&mut state, Msg::Compare(0, 1)), [Order::Compare { first: 0, second: 1 }]);
    assert!(state.problems.is_empty() && state.notes.is_empty());
}
