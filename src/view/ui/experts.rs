//! A mixture's experts by themselves: the cosine between every two of them, and one of them as the product of what it
//! reads and what it writes. Knows nothing of gates.

use yew::prelude::*;

use super::{
    control::Choice,
    gates::diverging_legend,
    heat::{Cell, Heat, Matrix},
    panel::Panel,
};
use crate::lang::tr;
use crate::protocol::{ExpertsFrame, WeightFrame};
use crate::view::{
    format::three,
    scale::{Scale, range_for},
    snap::Snap,
    table as tables,
    words::signed,
};

#[derive(Properties, PartialEq)]
pub struct ExpertsProps {
    pub weight: Snap<WeightFrame>,
    /// The lane whose experts they are.
    pub name: AttrValue,
    pub step: usize,
    pub dark: bool,
}

/// One expert's change of the weight with its two vectors, on one scale each.
struct Pictures {
    cosines: Snap<Matrix>,
    product: Snap<Matrix>,
    reads: Snap<Matrix>,
    writes: Snap<Matrix>,
    ranges: [f32; 3],
}

#[component]
pub fn Experts(props: &ExpertsProps) -> Html {
    let chosen = use_state_eq(|| 0usize);
    let pair = use_state_eq(|| None::<Cell>);
    let cell = use_state_eq(|| None::<Cell>);
    let Some(experts) = &props.weight.experts else {
        return html! {};
    };
    let expert = (*chosen).min(experts.count - 1);
    let (rows, cols) = (props.weight.rows, props.weight.cols);
    let pictures = pictures(experts, expert, rows, cols);
    let on_pair = {
        let pair = pair.clone();
        Callback::from(move |at| pair.set(at))
    };
    let on_cell = {
        let cell = cell.clone();
        Callback::from(move |at| cell.set(at))
    };
    let nothing = Callback::from(|_: Option<Cell>| ());
    let on_pick = {
        let chosen = chosen.clone();
        Callback::from(move |(row, _): Cell| chosen.set(row))
    };
    let tables = {
        let weight = props.weight.clone();
        Callback::from(move |()| weight.experts.iter().map(tables::cosines).collect::<Vec<_>>())
    };
    // Of shared vectors: which reads and which writes.
    let pair_of = |e: usize| experts.shared.map(|p| (e / (experts.count / p) + 1, e % (experts.count / p) + 1));
    let name = |e: usize| match (pair_of(e), experts.rank) {
        (Some((read, write)), _) => format!("u{write} v{read}ᵀ"),
        (None, 1) => format!("u{0} v{0}ᵀ", e + 1),
        _ => format!("B{0} A{0}", e + 1),
    };
    let option = |e: usize| match pair_of(e) {
        Some((read, write)) => tr!("expert {}: v{read}, u{write}", e + 1, read, write),
        None => tr!("expert {}", e + 1),
    };
    let options: Vec<AttrValue> = (0..experts.count).map(|e| option(e).into()).collect();
    let cosines_why = match experts.shared {
        Some(_) => {
            tr!(
                "Cosine between two experts' changes of the weight, taken as vectors. Their vectors are shared: expert (i, j) is the outer product of B's column j and A's row i, so experts of one row or one column have one of their two vectors in common."
            )
        }
        None => {
            tr!(
                "Cosine between two experts' changes of the weight, taken as vectors. Experts that are alike do one job twice; nothing but a term of the loss keeps them apart."
            )
        }
    };
    let controls = html! {
        <div class="choices">
            <span class="note">{ props.name.clone() }</span>
            <Choice quiet=true label={tr!("Expert shown")} why={tr!("Whose product is drawn.")} {options} chosen={expert}
                on_change={Callback::from(move |e| chosen.set(e))} />
        </div>
    };
    let value = |picture: &Snap<Matrix>, at: Option<Cell>| {
        at.and_then(|(r, c)| picture.values.get(r * picture.cols + c).map(|&v| (r, c, f64::from(v))))
    };
    let pair_text = match value(&pictures.cosines, *pair) {
        Some((i, j, v)) => tr!("experts {} and {}: {}", i + 1, j + 1, signed(v)),
        None => tr!("point at a pair of experts"),
    };
    let cell_text = match value(&pictures.product, *cell) {
        Some((r, c, v)) => format!("({r}, {c})  {}", signed(v)),
        None => tr!("what it writes × what it reads"),
    };
    let unit = Scale::Diverging { range: 1.0 };
    let scale = |at: usize| Scale::Diverging { range: pictures.ranges[at] };
    let edge = |what: String, class: &'static str, data: &Snap<Matrix>, at: usize| {
        let label = tr!(
            "{what} of expert {}, from −{} to {}",
            expert + 1,
            three(f64::from(pictures.ranges[at])),
            three(f64::from(pictures.ranges[at])),
            what
        );
        html! { <Heat {class} data={data.clone()} scale={scale(at)} dark={props.dark} {label} on_cursor={nothing.clone()} /> }
    };
    let range = pictures.ranges[0];
    html! {
        <Panel id="experts" title={tr!("Experts")} {tables} step={props.step} {controls}>
            <div class="experts-grid">
                <figure>
                    <figcaption data-why={cosines_why}>
                        { tr!("cosine between experts") }
                    </figcaption>
                    <Heat class="square" data={pictures.cosines.clone()} scale={unit} dark={props.dark} cursor={*pair}
                        label={tr!("Cosines between {} experts, from −1 to 1", experts.count)} on_cursor={on_pair} on_pick={Some(on_pick)} />
                    <p class="readout">{ pair_text }</p>
                </figure>
                <figure>
                    <figcaption data-why={tr!("One expert's change of the weight: the outer product of what it writes (left) and what it reads (top); of several pairs, their sum and its first pair.")}>
                        { name(expert) }
                    </figcaption>
                    <div class="outer">
                        { edge(tr!("What it reads"), "reads", &pictures.reads, 1) }
                        { edge(tr!("What it writes"), "writes", &pictures.writes, 2) }
                        <Heat class="square" data={pictures.product.clone()} scale={scale(0)} dark={props.dark} cursor={*cell}
                            label={tr!("{}, {rows} outputs × {cols} inputs, from −{} to {}", name(expert), three(f64::from(range)), three(f64::from(range)), rows, cols)}
                            on_cursor={on_cell} />
                    </div>
                    <div class="row under">
                        <p class="readout">{ cell_text }</p>
                        <span class="spring" />
                        { diverging_legend(range, props.dark) }
                    </div>
                </figure>
            </div>
        </Panel>
    }
}

fn pictures(experts: &ExpertsFrame, expert: usize, rows: usize, cols: usize) -> Pictures {
    let rank = experts.rank;
    let read = &experts.a[expert * rank * cols..(expert + 1) * rank * cols];
    let write = &experts.b[expert * rank * rows..(expert + 1) * rank * rows];
    let mut product = vec![0.0f32; rows * cols];
    for (read, write) in read.chunks_exact(cols).zip(write.chunks_exact(rows)) {
        for (line, w) in product.chunks_exact_mut(cols).zip(write) {
            line.iter_mut().zip(read).for_each(|(cell, r)| *cell += w * r);
        }
    }
    let range = |values: &[f32]| {
        let top = values.iter().filter(|v| v.is_finite()).fold(0f32, |top, v| top.max(v.abs()));
        range_for(f64::from(top)) as f32
    };
    let ranges = [range(&product), range(&read[..cols]), range(&write[..rows])];
    let matrix = |rows, cols, values| Snap::new(Matrix { rows, cols, values });
    Pictures {
        cosines: matrix(experts.count, experts.count, experts.cosines.clone()),
        product: matrix(rows, cols, product),
        reads: matrix(1, cols, read[..cols].to_vec()),
        writes: matrix(rows, 1, write[..rows].to_vec()),
        ranges,
    }
}
