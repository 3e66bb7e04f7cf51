//! A colour scale's legend: its colours between what its ends mean.

use yew::prelude::*;

use crate::view::scale::Scale;

const STEPS: usize = 24;

pub fn ramp([low, high]: [&str; 2], scale: Scale, (from, to): (f32, f32), dark: bool) -> Html {
    let steps = (0..STEPS).map(|at| {
        let [r, g, b] = scale.colour(from + (to - from) * at as f32 / (STEPS - 1) as f32, dark);
        html! { <rect x={(at * 4).to_string()} y="0" width="4" height="8" fill={format!("rgb({r},{g},{b})")} /> }
    });
    html! {
        <span class="legend">
            <span>{ low }</span>
            <svg aria-hidden="true" width="96" height="8">{ for steps }</svg>
            <span>{ high }</span>
        </span>
    }
}
