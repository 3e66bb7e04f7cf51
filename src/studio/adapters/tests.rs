//! Table, map, words, roles of files and state, on overviews made by hand.

use super::grid::Grid;
use super::sorting::{Role, beside, role, title};
use super::state::{Msg, Part, State, update};
use super::table::{Column, Filter, Sort, arranged, span};
use super::wire::{Base, Change, Id, Listed, Order, Pair, Planned, Region, Report};
use super::words::{agreement, combined, kept, kind, lacking, lead, list_of, made, size};
use crate::files::Dtype;
use crate::peft::combine::Combination;
use crate::peft::compare::Comparison;
use crate::peft::module::Kind;
use crate::peft::overview::{Form, Overview, outliers};

fn row(name: &str, singular: &[f64]) -> Overview {
    Overview {
        name: name.into(),
        form: Form::Lora,
        kind: Kind::Linear,
        dtype: Dtype::Bf16,
        rank: 4,
        scaling: 2.0,
        parameters: 10,
        shape: (8, 8),
        norm: (!singular.is_empty()).then(|| singular.iter().map(|v| v * v).sum::<f64>().sqrt()),
        base_norm: None,
        singular: singular.to_vec(),
        exact: true,
        not_finite: false,
        why: None,
    }
}

fn rows() -> Vec<Overview> {
    vec![row("l.0.q", &[2.0, 1.0]), row("l.0.v", &[5.0]), row("l.1.q", &[1.0, 1.0]), row("l.1.v", &[])]
}

#[test]
fn rows_are_sorted_and_what_is_unknown_comes_last() {
    let rows = rows();
    let all = Filter::default();
    let by = |column, falling| arranged(&rows, &[], &all, Sort { column, falling });
    assert_eq!(by(Column::Norm, true), [1, 0, 2, 3]);
    assert_eq!(by(Column::Norm, false), [2, 0, 1, 3]);
    assert_eq!(by(Column::Name, true), [3, 2, 1, 0]);
    assert_eq!(by(Column::Dtype, true), [0, 1, 2, 3], "equals stay in order");
    assert_eq!(span(&rows, Column::Norm), Some((2f64.sqrt(), 5.0)));
    assert_eq!(span(&rows, Column::Ratio), None);
    let first = Sort::NATURAL.pressed(Column::Norm);
    assert_eq!((first.falling, first.pressed(Column::Norm).falling), (true, false));
    assert!(!first.pressed(Column::Name).falling, "names come in order first");
}

#[test]
fn filters_hold_words_and_leave_words_out() {
    let rows = rows();
    let by = |words: &str| arranged(&rows, &[], &Filter { words: words.into(), outliers: false }, Sort::NATURAL);
    assert_eq!(by("Q"), [0, 2]);
    assert_eq!(by("q l.1"), [2]);
    assert_eq!(by("-l.0 -"), [2, 3]);
    assert!(by("k").is_empty());
    let outliers = arranged(&rows, &[], &Filter { outliers: true, ..Filter::default() }, Sort::NATURAL);
    assert!(outliers.is_empty(), "there are none");
}

#[test]
fn columns_are_written_with_their_units() {
    let row = row("q", &[3.0, 0.0]);
    let text = |column: Column| column.text(&row);
    assert_eq!(
        (text(Column::Norm), text(Column::TopEnergy), text(Column::RankInUse)),
        ("3.00".into(), "100 %".into(), "25.0 %".into())
    );
    assert_eq!((text(Column::Ratio), text(Column::Dtype), text(Column::Rank)), ("–".into(), "BF16".into(), "4".into()));
    let whole = Overview { form: Form::Whole, rank: 0, ..row.clone() };
    assert_eq!((Column::Rank.text(&whole), Column::Scaling.text(&whole)), ("whole".into(), "–".into()));
}

#[test]
fn names_fall_into_layers_and_kinds() {
    let names = [
        "model.layers.0.self_attn.q_proj",
        "model.layers.0.mlp.down_proj",
        "model.layers.10.self_attn.q_proj",
        "model.layers.2.mlp.down_proj",
    ];
    let grid = Grid::new(names.into_iter());
    assert_eq!(
        (grid.layers.clone(), grid.kinds.clone()),
        (vec!["0".into(), "2".into(), "10".to_owned()], vec!["q_proj".into(), "down_proj".to_owned()])
    );
    assert_eq!((grid.at(0, 0), grid.at(1, 1), grid.at(0, 1), grid.at(0, 2)), (Some(0), Some(3), None, Some(2)));
    assert_eq!(grid.place(3), Some((1, 1)));
    // The same last name in two places; a part's number at the end; kohya's names; one module alone.
    let grid = Grid::new(["b.0.attn1.to_out.0", "b.0.attn2.to_out.0", "b.1.attn1.to_out.0"].into_iter());
    assert_eq!(
        (grid.kinds.clone(), grid.layers.len()),
        (vec!["attn1.to_out.0".into(), "attn2.to_out.0".to_owned()], 2)
    );
    let grid = Grid::new(["lora_unet_mid_0_attn_q", "lora_unet_mid_1_attn_q"].into_iter());
    assert_eq!((grid.kinds.len(), grid.layers.len()), (1, 2));
    let grid = Grid::new(["lm_head"].into_iter());
    assert_eq!((grid.kinds, grid.layers), (vec!["lm_head".to_owned()], vec!["–".to_owned()]));
    assert_eq!(Grid::new(std::iter::empty()), Grid::default());
}

#[test]
fn a_path_says_what_a_file_is() {
    assert_eq!(role("a/adapter_model.safetensors"), Role::Tensors);
    assert_eq!(role("adapter_config (1).json"), Role::Config);
    assert_eq!(role("model.safetensors.index.json"), Role::Index);
    assert_eq!(
        (role("adapter_model.bin"), role("training_args.bin"), role("optimizer.pt")),
        (Role::Pickle, Role::Other, Role::Other)
    );
    assert_eq!((role("config.json"), role("README.md")), (Role::Other, Role::Other));
    assert_eq!(
        beside("a/x.safetensors", ["b/adapter_config.json", "a/adapter_config.json"].into_iter(), false),
        Some(1)
    );
    assert_eq!(beside("x.safetensors", ["b/adapter_config.json"].into_iter(), true), Some(0));
    assert_eq!(beside("a/x.safetensors", ["b/adapter_config.json"].into_iter(), false), None);
    assert_eq!(
        (title("run/7/adapter_model.safetensors"), title("run/mine.safetensors"), title("adapter_model.safetensors")),
        ("7".into(), "mine".into(), "adapter".into())
    );
}

#[test]
fn sentences_say_what_the_numbers_say() {
    let mut rows = rows();
    assert_eq!(kind(&rows), "LoRA of 4 modules, rank 4, 40 parameters in BF16");
    let said = lead(&rows, &[]);
    assert!(said.contains("largest change is l.0.v") && said.contains("takes the base model"), "{said}");
    assert!(said.contains("Much of its rank is idle"), "{said}");
    assert!(lacking(&rows).is_some_and(|said| said.contains("none of this adapter's weights")));
    rows[2].base_norm = Some(10.0);
    assert!(lacking(&rows).is_some_and(|said| said.contains("lacks 3 of this adapter's 4")));
    assert_eq!(lacking(&rows[2..3]), None);
    assert!(lead(&rows, &[]).contains("changes l.1.q most, by 14.1 %"), "{}", lead(&rows, &[]));
    let mut many: Vec<Overview> = (0..8).map(|i| row(&format!("{i}.q"), &[1.0 + 0.01 * f64::from(i), 0.5])).collect();
    many[3] = row("3.q", &[30.0, 15.0]);
    assert!(lead(&many, &outliers(&many)).contains("3.q is unlike the others"));
    rows[0].not_finite = true;
    assert!(lead(&rows, &[]).contains("1 module holds NaN"));
    assert_eq!((size(900.0), size(92_848.0), size(6.5e9)), ("900 bytes".into(), "92.8 KB".into(), "6.50 GB".into()));
    assert!(kept(4, 4, 0.0).starts_with("All of it") && kept(0, 4, 1.0).starts_with("Nothing"));
    assert_eq!(kept(2, 4, 0.1), "Rank 2 keeps 99.0 % of ‖ΔW‖²; the error is 10.0 % of ‖ΔW‖.");
}

#[test]
fn two_adapters_are_compared_in_a_sentence() {
    let pair = |name: &str, cosine| Pair {
        name: name.into(),
        comparison: Ok(Comparison {
            norms: (1.0, 2.0),
            cosine,
            together: 1.0,
            read: vec![],
            written: vec![],
            interference: (0.0, 0.0),
        }),
    };
    let alone = Pair { name: "c".into(), comparison: Err("only the first adapts it".into()) };
    let said = agreement(&[pair("a", 0.9), pair("b", 1.0), alone.clone()]);
    assert!(
        said.contains("do nearly the same")
            && said.contains("Most alike is b")
            && said.contains("1 module is in one of them only"),
        "{said}"
    );
    assert!(agreement(&[pair("a", 0.0), pair("b", 0.1)]).contains("little to do"));
    assert_eq!(agreement(&[alone]), "They have no module in common.");
}

#[test]
fn two_that_are_handed_over_are_compared() {
    let mut state = State::default();
    update(&mut state, Msg::Report(Report::Ready));
    assert_eq!(update(&mut state, Msg::OpenPair(vec!["a".into()])), [Order::Open(vec!["a".into()])]);
    let opened = |ids: [Id; 2]| Report::Opened {
        adapters: ids.map(listed).to_vec(),
        base: None,
        refused: vec![],
        passed_over: vec![],
    };
    update(&mut state, Msg::Report(opened([3, 4])));
    let compared = state.compared.as_ref().map(|pair| (pair.first, pair.second));
    assert_eq!((state.part, compared), (Part::Compare, Some((3, 4))));
    // What is opened later is looked at, not compared.
    update(&mut state, Msg::Open(vec![]));
    update(&mut state, Msg::Report(opened([5, 6])));
    assert_eq!(state.part, Part::Overview);
}

fn listed(id: Id) -> Listed {
    Listed {
        id,
        name: "mine".into(),
        rows: rows(),
        not_understood: vec![],
        said: vec![],
        base_name: None,
        bytes: 1.0,
        has_config: true,
    }
}

fn base() -> Base {
    Base { name: "model.safetensors".into(), files: 1, bytes: 1.0, tensors: 1, dtype: None }
}

fn found(adapters: Vec<Listed>, base: Option<Base>, refused: Vec<String>) -> Msg {
    Msg::Report(Report::Opened { adapters, base, refused, passed_over: vec![] })
}

fn ready() -> State {
    let mut state = State::default();
    update(&mut state, Msg::Report(Report::Ready));
    state
}

fn done() -> Msg {
    Msg::Report(Report::Done { saved: vec![], said: vec![] })
}

#[test]
fn what_is_opened_is_measured_then_with_the_base() {
    let mut state = State::default();
    assert_eq!(update(&mut state, Msg::Open(vec!["a".into()])), [Order::Open(vec!["a".into()])]);
    // Nothing long is ordered before the worker listens.
    assert!(update(&mut state, found(vec![listed(0)], Some(base()), vec![])).is_empty());
    assert_eq!(update(&mut state, Msg::Report(Report::Ready)), [Order::Measure { adapter: 0, base: false }]);
    assert!(!state.adapters[0].measured && state.measuring(0));
    let better = row("l.1.v", &[7.0]);
    update(
        &mut state,
        Msg::Report(Report::Measured {
            adapter: 0,
            rows: vec![(3, better.clone()), (9, better.clone())],
            problem: None,
        }),
    );
    assert_eq!(state.adapters[0].rows[3], better);
    assert_eq!(update(&mut state, done()), [Order::Measure { adapter: 0, base: true }]);
    assert!(state.adapters[0].measured && !state.adapters[0].with_base);
    assert!(update(&mut state, done()).is_empty() && state.adapters[0].with_base);
    // The base said more of what is open: it is measured again, under its name.
    let more = Listed { rows: vec![row("l.0.q", &[])], ..listed(0) };
    let orders = update(&mut state, found(vec![more], None, vec![]));
    assert_eq!(orders, [Order::Measure { adapter: 0, base: false }]);
    assert_eq!((state.adapters.len(), state.adapters[0].rows.len(), state.chosen), (1, 1, 0));
    update(&mut state, found(vec![listed(0)], None, vec![]));
    let better_again = Report::Measured { adapter: 0, rows: vec![(3, better.clone())], problem: None };
    update(&mut state, Msg::Report(better_again));
    while !update(&mut state, done()).is_empty() {}
    // Another of the same name, and what it does not disturb.
    assert_eq!(update(&mut state, found(vec![listed(1)], None, vec![])), [Order::Measure { adapter: 1, base: false }]);
    assert_eq!((state.adapters[1].name.as_str(), state.chosen), ("mine 2", 1));
    // Called otherwise; not like another, nor nothing.
    let mut called = |name: &str| {
        assert_eq!(update(&mut state, Msg::Rename(1, name.into())), []);
        state.adapters[1].name.clone()
    };
    assert_eq!([" new ", "mine", "  "].map(&mut called), ["new", "mine 2", "mine 2"]);
    assert_eq!(state.adapters[0].rows[3], better);
    // Without its base nothing is known of it any more.
    let orders = update(&mut state, Msg::CloseBase);
    assert_eq!(orders[..2], [Order::Stop, Order::CloseBase]);
    assert_eq!(update(&mut state, Msg::Report(Report::Stopped)), [Order::Measure { adapter: 0, base: false }]);
}

#[test]
fn a_bad_file_harms_nothing() {
    let mut state = ready();
    update(&mut state, found(vec![listed(0)], None, vec![]));
    update(&mut state, done());
    let before = state.adapters.clone();
    update(&mut state, Msg::Open(vec!["bad".into()]));
    update(&mut state, found(vec![], None, vec!["bad: is cut short".into()]));
    assert_eq!((state.adapters.clone(), state.problems.len(), state.opening), (before.clone(), 1, false));
    update(&mut state, Msg::Report(Report::Failed { message: "a look failed".into(), long: false }));
    assert_eq!((state.adapters.clone(), state.problems.len()), (before, 2));
    update(&mut state, Msg::Dismiss);
    assert!(state.problems.is_empty());
    update(&mut state, Msg::Report(Report::Crashed("it failed: panic".into())));
    assert!(state.stopped && state.adapters.is_empty() && state.problems[0].contains("starts another"));
}

#[test]
fn cancelling_leaves_what_is_there_and_can_be_gone_on_with() {
    let mut state = ready();
    update(&mut state, found(vec![listed(0), listed(1)], None, vec![]));
    assert_eq!(update(&mut state, Msg::Cancel), [Order::Stop]);
    assert!(update(&mut state, Msg::Report(Report::Stopped)).is_empty(), "what waited is given up too");
    assert!(!state.adapters[0].measured);
    assert_eq!(update(&mut state, Msg::Measure), [Order::Measure { adapter: 0, base: false }]);
    // A closed adapter's work is stopped, and it is not chosen any more.
    update(&mut state, Msg::Choose(1));
    let id = state.adapters[0].id;
    assert_eq!(update(&mut state, Msg::Close(id)), [Order::Stop, Order::Close(0)]);
    assert_eq!((state.chosen, state.adapters.len()), (0, 1));
}

#[test]
fn a_look_belongs_to_its_module() {
    let mut state = ready();
    update(&mut state, found(vec![listed(0)], None, vec![]));
    assert_eq!(update(&mut state, Msg::Show(Part::Module)), [Order::Look { adapter: 0, row: 0, region: None }]);
    let region = Region { row: 0, col: 0, rows: 4, cols: 4 };
    update(&mut state, Msg::Look { row: 2, region: None });
    let look = |row| super::wire::Look {
        adapter: 0,
        row,
        shape: (8, 8),
        region,
        cells: (4, 4),
        base: None,
        change: Some(vec![0.0; 16]),
        merged: None,
        whole: None,
    };
    update(&mut state, Msg::Report(Report::Looked(Box::new(look(0)))));
    assert!(state.focus.as_ref().is_some_and(|focus| focus.look.is_none() && focus.waiting), "an old one is not shown");
    update(&mut state, Msg::Report(Report::Looked(Box::new(look(2)))));
    assert!(state.focus.as_ref().is_some_and(|focus| focus.look.is_some() && !focus.waiting));
    // What is told of the whole weight stays when a part is enlarged.
    let whole = super::wire::Look { whole: Some(super::wire::Whole::default()), ..look(2) };
    update(&mut state, Msg::Report(Report::Looked(Box::new(whole))));
    update(&mut state, Msg::Report(Report::Looked(Box::new(look(2)))));
    assert!(state.focus.as_ref().is_some_and(|focus| focus.whole.is_some()));
    update(&mut state, Msg::Look { row: 1, region: None });
    assert!(state.focus.as_ref().is_some_and(|focus| focus.whole.is_none()));
}

#[test]
fn intruders_are_sought_in_their_turn_and_can_be_given_up() {
    let mut state = ready();
    update(&mut state, found(vec![listed(0)], None, vec![]));
    update(&mut state, Msg::Look { row: 2, region: None });
    assert!(update(&mut state, Msg::Intruders).is_empty() && state.seeking(), "measuring comes first");
    let done = || Msg::Report(Report::Done { saved: vec![], said: vec![] });
    assert_eq!(update(&mut state, done()), [Order::Intruders { adapter: 0, row: 2 }]);
    update(&mut state, Msg::Look { row: 1, region: None });
    assert!(!state.seeking(), "of another module");
    update(&mut state, Msg::Look { row: 2, region: None });
    update(&mut state, Msg::Report(Report::Intruders { adapter: 0, row: 2, directions: None }));
    update(&mut state, done());
    assert!(!state.seeking() && state.focus.as_ref().is_some_and(|focus| focus.intruders == Some(None)));
    update(&mut state, Msg::Intruders);
    assert_eq!(update(&mut state, Msg::Cancel), [Order::Stop]);
    update(&mut state, Msg::Report(Report::Stopped));
    assert!(!state.seeking());
}

#[test]
fn what_a_merge_would_do_is_told_before() {
    let mut state = ready();
    update(&mut state, found(vec![listed(0)], None, vec![]));
    assert!(update(&mut state, Msg::Show(Part::Save)).is_empty(), "there is no base");
    assert!(update(&mut state, found(vec![], Some(base()), vec![])).contains(&Order::Plan(0)));
    assert!(update(&mut state, done()).iter().all(|order| *order != Order::Plan(0)), "once is enough");
    let plan = Planned { changes: vec!["q.weight".into()], left_out: vec![], notes: vec![] };
    update(&mut state, Msg::Report(Report::Planned { adapter: 0, plan: Ok(plan.clone()) }));
    assert_eq!(state.plan, Some((0, Some(Ok(plan)))));
    assert!(!update(&mut state, Msg::CloseBase).contains(&Order::Plan(0)) && state.plan.is_none());
}

#[test]
fn a_combination_is_named_and_opened_beside_the_others() {
    let mut state = ready();
    update(&mut state, found(vec![listed(0), listed(1)], None, vec![]));
    let [one, two] = [0, 1].map(|at: usize| state.adapters[at].name.clone());
    let done = || Msg::Report(Report::Done { saved: vec![], said: vec![] });
    update(&mut state, done());
    update(&mut state, done());
    let parts = vec![(0, 1.0), (1, -0.5)];
    let combine = Msg::Combine { parts: parts.clone(), how: Combination::Cat, dtype: None };
    let name = format!("{one} − 0.500 {two}");
    assert_eq!(
        update(&mut state, combine),
        [Order::Combine { parts, how: Combination::Cat, dtype: None, name: name.clone() }]
    );
    update(&mut state, found(vec![Listed { name: name.clone(), ..listed(2) }], None, vec![]));
    assert_eq!((state.current().map(|a| a.name.clone()), state.part), (Some(name), Part::Overview));
    assert_eq!(update(&mut state, done()), [Order::Measure { adapter: 2, base: false }]);
    // Its parts' closing stops a combination under way.
    update(&mut state, done());
    update(&mut state, Msg::Combine { parts: vec![(0, 1.0), (2, 2.0)], how: Combination::Linear, dtype: None });
    assert_eq!(update(&mut state, Msg::Close(0)), [Order::Stop, Order::Close(0)]);
}

#[test]
fn combinations_in_words() {
    assert_eq!(combined(&[("a", 1.0), ("b", -1.0), ("c", 0.25)]), "a − b + 0.250 c");
    assert_eq!(combined(&[("a", -2.0)]), "−2.00 a");
    assert!(made("x", Combination::Cat, &[0.0]).ends_with("1 module: the weighted sum exactly, up to rounding."));
    assert!(
        made("x", Combination::Svd(Some(2)), &[0.0, 0.25])
            .ends_with("2 modules: its rank leaves out up to 25.0 % of a module's sum.")
    );
    assert!(made("x", Combination::Linear, &[0.5]).contains("50.0 % of a sum away"));
    let names = ["a", "b", "c", "d", "e", "f"].map(String::from);
    assert_eq!((list_of(&names), list_of(&names[..2])), ("a, b, c, d and 2 more".into(), "a, b".into()));
}

#[test]
fn orders_and_reports_survive_the_wire() {
    let change = Change { rank: Some(4), scale: 0.5, dtype: Some("BF16".into()), drop: vec!["l.0.q".into()] };
    let order = Order::Save { adapter: 7, change };
    let back: Order = postcard::from_bytes(&postcard::to_stdvec(&order).unwrap()).unwrap();
    assert_eq!(back, order);
    let mut odd = row("q", &[1.0]);
    odd.dtype = Dtype::Other("I8", 8);
    let report = Report::Opened {
        adapters: vec![Listed { rows: vec![odd], ..listed(3) }],
        base: Some(base()),
        refused: vec![],
        passed_over: vec!["x".into()],
    };
    let back: Report = postcard::from_bytes(&postcard::to_stdvec(&report).unwrap()).unwrap();
    assert_eq!(back, report);
}
