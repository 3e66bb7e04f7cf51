//! `digits`: accuracy of every lane on each new domain and on the old task, as numbers with their course.

use yew::prelude::*;

use crate::decimal::tenths;
use crate::lang::tr;
use crate::protocol::Accuracy;
use crate::view::{axis::path, format::three, lane_view::LaneView};

/// The course of one accuracy; the style sheet fits it into its column.
const WIDTH: f64 = 56.0;
const HEIGHT: f64 = 20.0;

/// `step` is the run's: the courses end there.
pub fn accuracies(lanes: &[LaneView], names: &[String], domains: &[String], step: usize) -> Html {
    let last = step.max(1) as f64;
    let cell = |index: usize, lane: &LaneView, pick: &dyn Fn(&Accuracy) -> Option<f32>| {
        let values: Vec<(f64, f64)> =
            lane.accuracy.iter().filter_map(|a| Some((a.step as f64, f64::from(pick(a)?)))).collect();
        let text = values.last().map_or("–".to_string(), |&(_, v)| three(v));
        let d = path(values.iter().map(|&(s, v)| (s / last * WIDTH, 1.0 + (1.0 - v) * (HEIGHT - 2.0))));
        html! {
            <td>
                <span class="course">
                    <svg class="spark" aria-hidden="true" preserveAspectRatio="none" viewBox={format!("0 0 {} {}", tenths(WIDTH), tenths(HEIGHT))}>
                        <path class={format!("curve lane-{index}")} {d} />
                    </svg>
                    <span>{ text }</span>
                </span>
            </td>
        }
    };
    let line = |name: &str, why: String, class: &'static str, pick: &dyn Fn(&Accuracy) -> Option<f32>| {
        html! {
            <tr {class}>
                <th scope="row" tabindex="0" data-why={why}>{ name }</th>
                { for lanes.iter().enumerate().map(|(index, lane)| cell(index, lane, pick)) }
            </tr>
        }
    };
    html! {
        <table class="accuracy">
            <caption>{ tr!("accuracy on held-out images, 0 to 1 over steps") }</caption>
            <thead><tr>
                <td />
                { for names.iter().take(lanes.len()).enumerate().map(|(index, name)| html! {
                    <th scope="col"><span class={format!("dot lane-{index}")} />{ name }</th>
                }) }
            </tr></thead>
            <tbody>
                { for domains.iter().enumerate().map(|(k, domain)| line(
                    domain,
                    tr!("{domain}: share of the held-out images that each lane names rightly.", domain),
                    "",
                    &move |a: &Accuracy| a.domains.get(k).copied(),
                )) }
                { line(
                    &tr!("upright (old task)"),
                    tr!("Share of the held-out upright images named rightly. The base learned these; what falls here is forgotten."),
                    "old",
                    &|a: &Accuracy| Some(a.old),
                ) }
            </tbody>
        </table>
    }
}
