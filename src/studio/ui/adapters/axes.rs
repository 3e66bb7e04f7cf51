//! A module along its axes: which rows and columns its weights are large in, and which of them each singular direction
//! of the change reads and writes.

use std::rc::Rc;

use yew::prelude::*;

use super::profile::Profile;
use super::table::Figure;
use crate::lang::tr;
use crate::peft::view::Norms;
use crate::studio::adapters::profile::{as_table, concentration, spread, told};
use crate::studio::adapters::wire::Whole;
use crate::view::snap::Snap;
use crate::view::ui::control::{Choice, slider_value};

#[derive(Clone, PartialEq, Properties)]
pub struct AxesProps {
    pub whole: Rc<Whole>,
    /// ‖ΔW‖².
    pub total: f64,
    /// The adapter and its module.
    pub of: AttrValue,
}

/// An entry pointed at: in the columns or the rows.
#[derive(Clone, Copy, PartialEq)]
struct At {
    column: bool,
    entry: usize,
}

/// Both axes' values as two charts under each other, and what is pointed at.
#[derive(Properties, PartialEq)]
struct PairProps {
    rows: Snap<Vec<f64>>,
    columns: Snap<Vec<f64>>,
    /// What the values are, and what their squares add up to.
    what: AttrValue,
    of: AttrValue,
}

#[component]
fn Pair(props: &PairProps) -> Html {
    let cursor = use_state_eq(|| None::<At>);
    let chart = |column: bool| {
        let (axis, values) = if column { ("column", &props.columns) } else { ("row", &props.rows) };
        let entry = cursor.filter(|at| at.column == column).map(|at| at.entry);
        let on_cursor = {
            let cursor = cursor.clone();
            Callback::from(move |entry: Option<usize>| cursor.set(entry.map(|entry| At { column, entry })))
        };
        let label = tr!("{} of {} {axis}s", props.what, values.len(), axis);
        html! { <Profile values={values.clone()} {axis} {label} cursor={entry} {on_cursor} /> }
    };
    let said = cursor.map_or_else(
        || tr!("point at a row or column"),
        |at| match at.column {
            true => told("column", at.entry, &props.columns, &props.of),
            false => told("row", at.entry, &props.rows, &props.of),
        },
    );
    html! {
        <>
            { chart(false) }
            { chart(true) }
            <p class="readout" aria-live={if cursor.is_some() { "polite" } else { "off" }}>{ said }</p>
        </>
    }
}

#[component]
pub fn RowsAndColumns(props: &AxesProps) -> Html {
    let chosen = use_state_eq(|| 0usize);
    let there: Vec<(&'static str, Snap<Norms>)> = {
        let whole = &props.whole;
        let of = [("ΔW", &whole.change), ("W0", &whole.base), ("W0 + ΔW", &whole.merged)];
        let there = of.into_iter().filter_map(|(name, norms)| Some((name, norms.clone()?)));
        there.filter(|(_, norms)| !norms.rows.is_empty()).map(|(name, norms)| (name, Snap::new(norms))).collect()
    };
    let Some((name, norms)) = there.get((*chosen).min(there.len().saturating_sub(1))).cloned() else {
        return Html::default();
    };
    let set = {
        let chosen = chosen.clone();
        Callback::from(move |at| chosen.set(at))
    };
    let options: Vec<AttrValue> = there.iter().map(|(name, _)| AttrValue::from(*name)).collect();
    let controls = html! {
        if options.len() > 1 {
            <Choice quiet=true label={tr!("Weight whose norms are shown")} why={tr!("Whose rows and columns are measured.")} {options} chosen={*chosen} on_change={set} />
        }
    };
    let table = {
        let norms = norms.clone();
        Callback::from(move |()| {
            as_table(tr!("Norms of the rows and columns of {name}, largest first", name), &norms.rows, &norms.columns)
        })
    };
    html! {
        <Figure id="adapter-rows-and-columns" of={props.of.clone()} title={tr!("Rows and columns")} {controls} {table}>
            <Pair rows={Snap::new(norms.rows.clone())} columns={Snap::new(norms.columns.clone())}
                what={tr!("Norms of {name}", name)} of={format!("‖{name}‖²")} />
            <p>{ concentration(name, &norms) }</p>
        </Figure>
    }
}

#[component]
pub fn Directions(props: &AxesProps) -> Html {
    let chosen = use_state_eq(|| 0usize);
    let directions = &props.whole.directions;
    let at = (*chosen).min(directions.len().saturating_sub(1));
    let Some(direction) = directions.get(at) else {
        return html! {
            <section class="panel" aria-labelledby="directions">
                <header><h3 id="directions">{ tr!("Singular vectors of ΔW") }</h3></header>
                <p class="note">{ tr!("They are computed from low-rank factors with finite values, which this module does not have.") }</p>
            </section>
        };
    };
    let wide = |values: &[f32]| Snap::new(values.iter().map(|&v| f64::from(v)).collect::<Vec<_>>());
    let (rows, columns) = (wide(&direction.rows), wide(&direction.columns));
    let oninput = {
        let chosen = chosen.clone();
        Callback::from(move |event: InputEvent| {
            if let Some(value) = slider_value(&event) {
                chosen.set((value as usize).saturating_sub(1));
            }
        })
    };
    let table = {
        let (rows, columns) = (rows.clone(), columns.clone());
        Callback::from(move |()| {
            as_table(
                tr!("Entries of singular direction {} of ΔW, the largest by magnitude first", at + 1),
                &rows,
                &columns,
            )
        })
    };
    let said = spread(at, direction, props.total);
    html! {
        <Figure id="adapter-singular-vectors" of={props.of.clone()} title={tr!("Singular vectors of ΔW")} {table}>
            <Pair {rows} {columns} what={tr!("Direction {}: entries", at + 1)} of={tr!("the direction")} />
            <label class="slider wide" data-why={tr!("ΔW is a sum of such directions: what it writes (along rows) times what it reads (along columns), times σ.")}>
                <span>{ tr!("direction") }</span>
                <input type="range" min="1" max={directions.len().to_string()} step="1" value={(at + 1).to_string()}
                    disabled={directions.len() < 2} aria-label={tr!("Direction shown")} aria-valuetext={said.clone()} {oninput} />
                <output>{ at + 1 }</output>
            </label>
            <p role="status">{ said }</p>
        </Figure>
    }
}
