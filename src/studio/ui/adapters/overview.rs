//! The overview: what the adapter is in a sentence or two, its totals, the map of one column, and every module in a table
//! that can be sorted and filtered.

use std::rc::Rc;

use web_sys::HtmlInputElement;
use yew::prelude::*;

use super::map::Map;
use super::table::Figure;
use crate::lang::tr;
use crate::peft::overview::{Overview, totals};
use crate::studio::adapters::grid::Grid;
use crate::studio::adapters::state::{Msg, Opened};
use crate::studio::adapters::table::{Column, Filter, Sort, arranged};
use crate::studio::adapters::words::{kind, lacking, lead, size};
use crate::view::format::{count, modules, percent, three};
use crate::view::table::Table;
use crate::view::ui::control::{Choice, Switch};

/// Rows of the table until more are asked for.
const ROWS: usize = 250;

#[derive(Properties, PartialEq)]
pub struct OverviewProps {
    pub adapter: Opened,
    pub has_base: bool,
    pub dark: bool,
    pub tell: Callback<Msg>,
}

#[component]
pub fn OverviewPart(props: &OverviewProps) -> Html {
    let adapter = &props.adapter;
    let pick = props.tell.reform(|row: usize| Msg::Look { row, region: None });
    html! {
        <>
            <p class="lead-line">
                <span class="soft">{ format!("{}. ", kind(&adapter.rows)) }</span>
                if adapter.measured { { lead(&adapter.rows, &adapter.outliers) } }
            </p>
            { for adapter.problems.iter().map(|problem| html! { <div class="notice" role="alert"><p>{ problem }</p></div> }) }
            { for lacking(&adapter.rows).filter(|_| adapter.with_base && adapter.problems.is_empty()).map(|said| html! { <p class="note" role="status">{ said }</p> }) }
            { sums(adapter) }
            <MapFigure adapter={adapter.clone()} dark={props.dark} on_pick={pick.clone()} />
            <Modules adapter={adapter.clone()} on_pick={pick} />
            { for adapter.listed.said.iter().map(|what| html! { <p class="note reason">{ what }</p> }) }
            { not_understood(&adapter.listed.not_understood) }
        </>
    }
}

#[derive(Properties, PartialEq)]
pub struct MapFigureProps {
    pub adapter: Opened,
    pub dark: bool,
    pub on_pick: Callback<usize>,
}

/// The map of a column of choice.
#[component]
pub fn MapFigure(props: &MapFigureProps) -> Html {
    let adapter = &props.adapter;
    let column = use_state_eq(|| Column::Norm);
    let grid = use_memo((adapter.id, adapter.rows.len()), |_| {
        Grid::new(adapter.listed.rows.iter().map(|row| row.name.as_str()))
    });
    let columns = Column::measured();
    let choose = {
        let (column, columns) = (column.clone(), columns.clone());
        Callback::from(move |at: usize| columns.get(at).into_iter().for_each(|&chosen| column.set(chosen)))
    };
    let controls = html! {
        <Choice quiet=true label={tr!("Column of the map")} why={column.why()} chosen={columns.iter().position(|c| *c == *column).unwrap_or(0)}
            options={columns.iter().map(|c| AttrValue::from(c.name())).collect::<Vec<_>>()} on_change={choose} />
    };
    let table = {
        let (grid, rows, column) = (grid.clone(), adapter.rows.clone(), *column);
        Callback::from(move |()| as_table(&grid, &rows, column))
    };
    html! {
        <Figure id="adapter-map" of={adapter.name.clone()} title={tr!("Map")} {controls} {table}>
            <Map rows={adapter.rows.clone()} outliers={adapter.outliers.clone()} {grid} column={*column} dark={props.dark} on_pick={props.on_pick.clone()} />
        </Figure>
    }
}

/// The adapter as a whole.
fn sums(adapter: &Opened) -> Html {
    let sums = totals(&adapter.rows);
    let known = adapter.measured;
    let or_dash = |text: String| if known { text } else { "–".into() };
    let sum = |name: String, value: String, why: String| {
        html! { <div tabindex="0" data-why={why}><dt>{ name }</dt><dd>{ value }</dd></div> }
    };
    html! {
        <dl class="sums">
            { sum(if sums.modules == 1 { tr!("module") } else { tr!("modules") }, count(sums.modules), tr!("Adapted modules, and weights held whole.")) }
            { sum(tr!("parameters"), count(sums.parameters), tr!("Numbers that were trained.")) }
            { sum(tr!("file"), size(adapter.listed.bytes), tr!("Size of adapter_model.safetensors.")) }
            { sum("‖ΔW‖".into(), or_dash(three(sums.norm)), tr!("Size of the change, all modules together.")) }
            { sum("‖ΔW‖ / ‖W0‖".into(), sums.ratio.map_or("–".into(), percent), tr!("The same against the adapted weights of the base, where all of them are there.")) }
            { sum(tr!("effective rank"), or_dash(three(sums.effective_rank)), tr!("Mean over the modules: over how many directions a change is spread.")) }
            { sum(tr!("rank in use"), or_dash(percent(sums.rank_in_use)), tr!("Mean over the modules: directions that hold 99 % of a change, over its rank.")) }
        </dl>
    }
}

fn as_table(grid: &Grid, rows: &[Overview], column: Column) -> Table {
    let head = std::iter::once(tr!("layer")).chain(grid.kinds.iter().cloned()).collect();
    let cell = |kind: usize, layer: usize| {
        grid.at(kind, layer).and_then(|row| rows.get(row)).map_or_else(String::new, |row| column.text(row))
    };
    let line = |layer: usize| {
        std::iter::once(grid.layers[layer].clone()).chain((0..grid.kinds.len()).map(|kind| cell(kind, layer))).collect()
    };
    Table {
        caption: tr!("{} by layer and module", column.name()),
        head,
        rows: (0..grid.layers.len()).map(line).collect(),
    }
}

fn not_understood(list: &[String]) -> Html {
    if list.is_empty() {
        return Html::default();
    }
    let things = if list.len() == 1 { tr!("thing was") } else { tr!("things were") };
    html! {
        <details class="left" open={list.len() <= 6}>
            <summary>{ tr!("{} {things} not understood, and left out when saved or merged", count(list.len()), things) }</summary>
            <ul>{ for list.iter().map(|line| html! { <li>{ line }</li> }) }</ul>
        </details>
    }
}

#[derive(Properties, PartialEq)]
struct ModulesProps {
    adapter: Opened,
    on_pick: Callback<usize>,
}

#[component]
fn Modules(props: &ModulesProps) -> Html {
    let Opened { rows, outliers, .. } = &props.adapter;
    let sort = use_state_eq(|| Sort::NATURAL);
    let filter = use_state_eq(Filter::default);
    let all = use_state_eq(|| false);
    let shown = arranged(rows, outliers, &filter, *sort);
    let words = {
        let filter = filter.clone();
        Callback::from(move |event: InputEvent| {
            let words = event.target_dyn_into::<HtmlInputElement>().map(|input| input.value()).unwrap_or_default();
            filter.set(Filter { words, ..Filter::clone(&filter) });
        })
    };
    let odd = {
        let filter = filter.clone();
        Callback::from(move |outliers| filter.set(Filter { outliers, ..Filter::clone(&filter) }))
    };
    let heads = Column::ALL.into_iter().map(|column| {
        let here = sort.column == column;
        let order = match (here, sort.falling) {
            (false, _) => "none",
            (true, true) => "descending",
            (true, false) => "ascending",
        };
        let arrow = match order {
            "descending" => " ▾",
            "ascending" => " ▴",
            _ => "",
        };
        let sort = sort.clone();
        let onclick = Callback::from(move |_: MouseEvent| sort.set(sort.pressed(column)));
        html! { <th scope="col" aria-sort={order}><button type="button" class="head" data-why={column.why()} {onclick}>{ column.name() }{ arrow }</button></th> }
    });
    let most = if *all { usize::MAX } else { ROWS };
    let lines = shown.iter().take(most).map(|&at| {
        let row = &rows[at];
        let pick = props.on_pick.reform(move |_: MouseEvent| at);
        let cells = Column::ALL.into_iter().skip(1).map(|column| {
            let odd = outliers.iter().find(|o| o.row == at && Some(o.column) == column.outlier());
            html! {
                <td>
                    if let Some(odd) = odd {
                        <span class="mark-odd" tabindex="0" data-why={tr!("{} robust standard deviations {} the median of its kind.", three(odd.deviations.abs()), if odd.deviations > 0.0 { tr!("above") } else { tr!("below") })}>
                            { if odd.deviations > 0.0 { tr!("▲ high ") } else { tr!("▼ low ") } }
                        </span>
                    }
                    { column.text(row) }
                </td>
            }
        });
        html! {
            <tr key={at}>
                <th scope="row"><button type="button" class="quiet" onclick={pick}>{ &row.name }</button>
                    { for row.why.as_ref().map(|why| html! { <p class="note reason">{ why }</p> }) }
                </th>
                { for cells }
            </tr>
        }
    });
    let said = match (filter.is_empty(), shown.len()) {
        (true, all) => modules(all),
        (false, some) => tr!("{} of {}", count(some), modules(rows.len())),
    };
    let show_all = {
        let all = all.clone();
        Callback::from(move |_: MouseEvent| all.set(true))
    };
    html! {
        <section class="panel" aria-labelledby="modules">
            <header>
                <h3 id="modules">{ tr!("Modules") }</h3>
                <label class="field" data-why={tr!("Words that the name must hold; one that begins with - it must not.")}><span>{ tr!("Filter") }</span>
                    <input type="search" value={filter.words.clone()} placeholder={tr!("q_proj -layers.0")} oninput={words} /></label>
                if !outliers.is_empty() {
                    <Switch label={tr!("outliers only")} why={tr!("Modules whose ‖ΔW‖ or effective rank is far from the others of their kind.")} on={filter.outliers} on_change={odd} />
                }
                <span class="spring" />
                <p class="note" role="status">{ said }</p>
            </header>
            <div class="tables modules" tabindex="0" role="group" aria-label={tr!("Modules as a table")}>
                <table>
                    <thead><tr>{ for heads }</tr></thead>
                    <tbody>{ for lines }</tbody>
                </table>
            </div>
            if shown.len() > most {
                <p><button type="button" onclick={show_all}>{ tr!("Show all {}", count(shown.len())) }</button></p>
            }
        </section>
    }
}

/// Kept here so that every view numbers what it shows alike.
pub fn names(adapter: &Opened) -> Rc<[AttrValue]> {
    adapter.rows.iter().map(|row| AttrValue::from(row.name.clone())).collect()
}
