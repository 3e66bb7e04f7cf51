//! Singular values as bars; those that a rank would keep are full, the others hollow.

use yew::prelude::*;

use crate::decimal::tenths;
use crate::view::ui::size::use_size;
use crate::view::ui::spectrum::{Place, chart, spoken};

const HEIGHT: f64 = 160.0;
const WIDEST: f64 = 40.0;
/// Pixels that a number under a bar takes.
const NUMBER: f64 = 28.0;

#[derive(Properties, PartialEq)]
pub struct BarsProps {
    /// Largest first.
    pub values: Vec<f64>,
    pub kept: usize,
}

#[component]
pub fn Bars(props: &BarsProps) -> Html {
    let node = use_node_ref();
    let (width, _) = use_size(&node);
    let place = Place::new((width, HEIGHT), props.values.len(), WIDEST);
    let every = (NUMBER / place.slot).ceil() as usize;
    let ticks = (0..props.values.len()).filter(|i| (i + 1) % every == 0 || *i == 0).map(|i| {
        html! { <text x={tenths(place.x(i) + 0.5 * place.slot)} y={tenths(HEIGHT - 8.0)} text-anchor="middle">{ i + 1 }</text> }
    });
    let class = |i| if i < props.kept { "kept" } else { "cut" };
    html! {
        <div class="singular" ref={node} role="img" aria-label={spoken(&props.values)}>
            if width > 0.0 {
                { chart(&place, &props.values, class, html! { { for ticks } }) }
            }
        </div>
    }
}
