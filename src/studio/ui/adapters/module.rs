//! One module: its weights as pictures that can be enlarged, its spectrum with what a smaller rank would keep, and
//! whether the merged weight has directions that the base has not.

use std::rc::Rc;

use yew::prelude::*;

use super::axes::{AxesProps, Directions, RowsAndColumns};
use super::overview::names;
use super::spectrum::Bars;
use super::table::Figure;
use crate::lang::tr;
use crate::peft::draft::truncation;
use crate::peft::intruders::{Direction, Search, Verdict};
use crate::peft::overview::Overview;
use crate::studio::adapters::region::{Cell, as_table, farther, nearer, part, readout};
use crate::studio::adapters::state::{Focus, Msg, Opened};
use crate::studio::adapters::table::Column;
use crate::studio::adapters::wire::{Look, Region};
use crate::studio::adapters::words::kept;
use crate::view::format::{count, three};
use crate::view::scale::{Scale, range_for};
use crate::view::snap::Snap;
use crate::view::table::Table;
use crate::view::ui::control::{Button, Choice, Switch, slider_value};
use crate::view::ui::gates::diverging_legend;
use crate::view::ui::heat::{Heat, Matrix};

/// Seconds for a million entries of a weight that is held in memory, and of one that is read again for each pass, as measured
/// on two cores (docs/PERFORMANCE.md); what takes longer than so many is told beforehand.
const SECONDS: (f64, f64) = (0.25, 0.5);
const LONG: f64 = 2.0;
/// The paper's threshold.
const THRESHOLD: f64 = 0.6;
/// A change whose largest entry is below this part of the base's is drawn on a scale of its own.
const FAINT: f64 = 0.25;

#[derive(Properties, PartialEq)]
pub struct ModuleProps {
    pub adapter: Opened,
    pub focus: Focus,
    /// Intruders are being sought in it.
    pub seeking: bool,
    pub has_base: bool,
    pub dark: bool,
    pub tell: Callback<Msg>,
}

#[component]
pub fn ModulePart(props: &ModuleProps) -> Html {
    let (adapter, focus, tell) = (&props.adapter, &props.focus, &props.tell);
    let Some(row) = adapter.rows.get(focus.row) else { return Html::default() };
    let options = use_memo((adapter.id, adapter.rows.len()), |_| names(adapter).to_vec());
    let go = |by: isize| {
        let last = adapter.rows.len().saturating_sub(1);
        let row = focus.row.saturating_add_signed(by).min(last);
        tell.reform(move |()| Msg::Look { row, region: None })
    };
    let total = row.norm.unwrap_or(0.0).powi(2);
    let of = module_of(adapter, row);
    let axes = focus.whole.clone().map(|whole| AxesProps { whole, total, of: of.clone() });
    let facts = [
        Column::Rank,
        Column::Scaling,
        Column::Dtype,
        Column::Norm,
        Column::Ratio,
        Column::EffectiveRank,
        Column::StableRank,
        Column::TopEnergy,
        Column::RankInUse,
    ];
    html! {
        <>
            <div class="row wrap chooser">
                { Button::new(tr!("Previous"), tr!("The module before this one.")).named(tr!("Previous module")).disabled(focus.row == 0).calls(go(-1)) }
                <Choice quiet=true label={tr!("Module")} why={tr!("Which module is shown.")} options={(*options).clone()} chosen={focus.row}
                    on_change={tell.reform(|row| Msg::Look { row, region: None })} />
                { Button::new(tr!("Next"), tr!("The module after this one.")).named(tr!("Next module")).disabled(focus.row + 1 >= adapter.rows.len()).calls(go(1)) }
            </div>
            <dl class="sums">
                <div><dt>{ tr!("shape") }</dt><dd>{ format!("{} × {}", count(row.shape.0), count(row.shape.1)) }</dd></div>
                { for facts.into_iter().map(|column| html! { <div tabindex="0" data-why={column.why()}><dt>{ column.name() }</dt><dd>{ column.text(row) }</dd></div> }) }
            </dl>
            { for row.why.as_ref().map(|why| html! { <div class="notice quiet-note reason" role="status"><p>{ why }</p></div> }) }
            { for caveat(row).map(|said| html! { <p class="note">{ said }</p> }) }
            <Weights key={format!("w{}", focus.row)} focus={focus.clone()} of={of.clone()} has_base={props.has_base} dark={props.dark} tell={tell.clone()} />
            <div class="below">
                <Kept key={format!("k{}", focus.row)} row={Rc::new(row.clone())} {of} />
                if let Some(axes) = axes {
                    <Directions key={format!("d{}", focus.row)} ..axes.clone() />
                    <RowsAndColumns key={format!("r{}", focus.row)} ..axes />
                }
                if props.has_base {
                    { intruders(focus, props.seeking, row, tell) }
                }
            </div>
        </>
    }
}

/// An adapter and one of its modules, as captions name them.
pub fn module_of(adapter: &Opened, row: &Overview) -> AttrValue {
    format!("{} · {}", adapter.name, row.name).into()
}

/// What has to be known of the numbers.
fn caveat(row: &Overview) -> Option<String> {
    match &row.form {
        _ if row.not_finite => {
            Some(tr!("It holds NaN or infinity, so that there is no spectrum; such cells are grey."))
        }
        form if form.takes_the_base() && !row.exact => Some(tr!(
            "Its method rescales the sum of base and change, which takes the base; without it these numbers are those of the low-rank part alone."
        )),
        form if form.is_whole() && row.norm.is_none() => {
            Some(tr!("The weight is held whole; what it changes takes the base."))
        }
        _ => None,
    }
}

#[derive(Properties, PartialEq)]
struct WeightsProps {
    focus: Focus,
    of: AttrValue,
    has_base: bool,
    dark: bool,
    tell: Callback<Msg>,
}

/// A picture and its range.
struct Picture {
    data: Snap<Matrix>,
    top: f64,
}

#[component]
fn Weights(props: &WeightsProps) -> Html {
    let cursor = use_state_eq(|| None::<Cell>);
    let own = use_state_eq(|| None::<bool>);
    let look = props.focus.look.clone();
    let pictures = use_memo(Held(look.clone()), |held| held.0.as_deref().map(pictures));
    let (Some(look), Some(pictures)) = (look, pictures.as_ref().as_ref()) else {
        return html! { <p class="note reading" role="status">{ if props.focus.waiting { tr!("Reading the weights …") } else { tr!("There is nothing to show.") } }</p> };
    };
    let top = |at: usize| pictures[at].as_ref().map_or(0.0, |picture| picture.top);
    let shared = top(0).max(top(1)).max(top(2));
    let faint = pictures[0].is_some() && top(1) < FAINT * shared;
    let apart = own.unwrap_or(faint);
    let range = |at: usize| {
        range_for(if apart && at == 1 {
            top(1)
        } else if apart {
            top(0).max(top(2))
        } else {
            shared
        })
    };
    let on_cursor = {
        let cursor = cursor.clone();
        Callback::from(move |cell| cursor.set(cell))
    };
    let row = props.focus.row;
    let on_pick = {
        let (tell, look, cursor) = (props.tell.clone(), look.clone(), cursor.clone());
        Callback::from(move |cell: Cell| {
            if let Some(region) = nearer(&look, cell) {
                cursor.set(None);
                tell.emit(Msg::Look { row, region: Some(region) });
            }
        })
    };
    let go = |region: Option<Region>| {
        let (tell, cursor) = (props.tell.clone(), cursor.clone());
        Callback::from(move |()| {
            cursor.set(None);
            tell.emit(Msg::Look { row, region });
        })
    };
    let figure = |at: usize, name: &'static str, why: String| match &pictures[at] {
        None => Html::default(),
        Some(picture) => {
            let range = range(at);
            let scale = Scale::Diverging { range: range as f32 };
            let label = tr!("{name}, {}, from {} to {}", part(&look), three(-range), three(range), name);
            html! {
                <figure>
                    <figcaption><span data-why={why} tabindex="0">{ name }</span>
                        { diverging_legend(range as f32, props.dark) }
                    </figcaption>
                    <Heat class="square" data={picture.data.clone()} {scale} dark={props.dark} {label} cursor={*cursor} on_cursor={on_cursor.clone()} on_pick={Some(on_pick.clone())} />
                </figure>
            }
        }
    };
    let table = {
        let (look, at) = (look.clone(), cursor.unwrap_or((0, 0)));
        Callback::from(move |()| as_table(&look, at))
    };
    let three_of = pictures.iter().flatten().count() == 3;
    let sign = |text: &'static str| {
        if three_of {
            html! { <span class="sign" aria-hidden="true">{ text }</span> }
        } else {
            Html::default()
        }
    };
    let centre = cursor.unwrap_or((look.cells.0 / 2, look.cells.1 / 2));
    let near = nearer(&look, centre);
    let far = farther(&look);
    let whole = look.region.rows == look.shape.0 && look.region.cols == look.shape.1;
    let controls = html! {
        <>
            { Button::quiet(tr!("Zoom in"), tr!("Enlarge the part around the cell last pointed at; pressing a cell does the same.")).disabled(near.is_none()).calls(go(near)) }
            { Button::quiet(tr!("Zoom out"), tr!("Show more of the weight.")).disabled(whole).calls(go(far)) }
            if pictures[0].is_some() && pictures[1].is_some() {
                <Switch label={tr!("ΔW on its own scale")} why={tr!("A small change is not seen on the scale of the weight; then it has one of its own, printed above it.")} on={apart}
                    on_change={Callback::from({ let own = own.clone(); move |on| own.set(Some(on)) })} />
            }
        </>
    };
    html! {
        <Figure id="adapter-weights" of={props.of.clone()} title={if three_of { tr!("W0 + ΔW = merged weight") } else { "ΔW".into() }} {controls} {table} class="weights">
            <div class="maps">
                { figure(0, "W0", tr!("The base's weight, as it is stored: rows are outputs, columns inputs, where the base does not say otherwise.")) }
                { sign("+") }
                { figure(1, "ΔW", tr!("What the adapter adds to the base's weight.")) }
                { sign("=") }
                { figure(2, "W0 + ΔW", tr!("The merged weight: what one would ship in place of base and adapter.")) }
            </div>
            <p class="readout" aria-live={if cursor.is_some() { "polite" } else { "off" }}>{ readout(&look, *cursor, props.focus.waiting) }</p>
        </Figure>
    }
}

/// Compared by identity: looks are large.
#[derive(Clone)]
struct Held(Option<Rc<Look>>);

impl PartialEq for Held {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some(a), Some(b)) => Rc::ptr_eq(a, b),
            (None, None) => true,
            _ => false,
        }
    }
}

fn pictures(look: &Look) -> [Option<Picture>; 3] {
    [&look.base, &look.change, &look.merged].map(|values| {
        let values = values.as_ref().filter(|values| !values.is_empty())?;
        let top = values.iter().filter(|v| v.is_finite()).fold(0f32, |top, v| top.max(v.abs()));
        let data = Snap::new(Matrix { rows: look.cells.0, cols: look.cells.1, values: values.clone() });
        Some(Picture { data, top: f64::from(top) })
    })
}

#[derive(Properties, PartialEq)]
pub struct KeptProps {
    pub row: Rc<Overview>,
    /// The adapter and its module.
    pub of: AttrValue,
}

/// The spectrum, and what a rank would keep of it.
#[component]
pub fn Kept(props: &KeptProps) -> Html {
    let values = &props.row.singular;
    let rank = use_state_eq(|| None::<usize>);
    if values.is_empty() {
        return html! { <p class="note">{ tr!("There is no spectrum: it takes the base, finite values, or a smaller weight.") }</p> };
    }
    let most = values.len();
    let kept_rank = rank.unwrap_or(most).min(most);
    let errors = truncation(values);
    let oninput = {
        let rank = rank.clone();
        Callback::from(move |event: InputEvent| {
            if let Some(value) = slider_value(&event) {
                rank.set(Some(value as usize));
            }
        })
    };
    let table = {
        let (values, errors) = (values.clone(), errors.clone());
        Callback::from(move |()| Table {
            caption: tr!("Singular values of ΔW, and the error if the rank ended there, as a share of ‖ΔW‖"),
            head: vec![String::new(), tr!("singular value"), tr!("error")],
            rows: values
                .iter()
                .enumerate()
                .map(|(i, v)| vec![(i + 1).to_string(), three(*v), three(errors[i + 1])])
                .collect(),
        })
    };
    let said = kept(kept_rank, most, errors[kept_rank]);
    html! {
        <Figure id="adapter-singular-values" of={props.of.clone()} title={tr!("Singular values of ΔW")} {table}>
            <Bars values={values.clone()} kept={kept_rank} />
            <label class="slider wide" data-why={tr!("What the module would be if its rank were cut here, by its singular value decomposition.")}>
                <span>{ tr!("keep rank") }</span>
                <input type="range" min="0" max={most.to_string()} step="1" value={kept_rank.to_string()} aria-label={tr!("Rank kept")} aria-valuetext={said.clone()} {oninput} />
                <output>{ kept_rank }</output>
            </label>
            <p role="status">{ said }</p>
        </Figure>
    }
}

fn intruders(focus: &Focus, seeking: bool, row: &Overview, tell: &Callback<Msg>) -> Html {
    let entries = row.shape.0.saturating_mul(row.shape.1);
    let each = if entries <= Search::default().held { SECONDS.0 } else { SECONDS.1 };
    let seconds = each * entries as f64 / 1e6;
    let seek = tell.reform(|()| Msg::Intruders);
    let found = match &focus.intruders {
        None if seeking => html! { <p class="note" role="status">{ tr!("Decomposing both weights …") }</p> },
        None => html! {
            <p class="row">{ Button::new(tr!("Look for them"), tr!("Leading directions of both weights are computed; a large weight takes some time.")).calls(seek) }
                if seconds > LONG {
                    <span class="note">{ tr!("a weight of this size took {} s on two cores; it can be cancelled", format!("{seconds:.0}")) }</span>
                }
            </p>
        },
        Some(None) => {
            html! { <p class="note">{ tr!("They cannot be told: the base does not hold this weight, or a value is not finite.") }</p> }
        }
        Some(Some(directions)) => listed(directions),
    };
    html! {
        <section class="panel" aria-labelledby="intruders">
            <header><h3 id="intruders">{ tr!("Intruder directions") }</h3></header>
            <p class="note">{ tr!("Leading directions of the merged weight that are like none of the base's (no |cosine| of 0.6): full fine-tuning hardly \
                makes them, LoRA does, and forgetting goes with them (Shuttleworth et al. 2024).") }</p>
            { found }
        </section>
    }
}

fn listed(directions: &[Direction]) -> Html {
    let intruding = directions.iter().filter(|d| d.verdict(THRESHOLD) == Verdict::Intruder).count();
    let rows = directions.iter().enumerate().map(|(at, direction)| {
        let verdict = match direction.verdict(THRESHOLD) {
            Verdict::Intruder => html! { <b>{ tr!("intruder") }</b> },
            Verdict::Familiar => html! { tr!("the base's") },
            Verdict::Unknown => html! { tr!("not certain") },
        };
        html! { <tr><th scope="row">{ at + 1 }</th><td>{ three(direction.singular) }</td><td>{ three(direction.similarity) }</td><td>{ verdict }</td></tr> }
    });
    html! {
        <>
            <p class="count" role="status">{ tr!("{intruding} of the {} leading directions are intruders.", directions.len(), intruding) }</p>
            <table class="intruders">
                <thead><tr><th scope="col">{ tr!("direction") }</th><th scope="col">{ tr!("singular value") }</th><th scope="col">{ tr!("closest |cosine|") }</th><th scope="col">{ tr!("is") }</th></tr></thead>
                <tbody>{ for rows }</tbody>
            </table>
        </>
    }
}
