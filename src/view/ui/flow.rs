//! How a lane works: its drawing with the numbers of one token, over a sentence that says the same. Knows nothing of methods.

use wasm_bindgen::{Clamped, JsCast, JsValue};
use web_sys::{CanvasRenderingContext2d, Element, HtmlCanvasElement, ImageData};
use yew::prelude::*;

use super::{control::Number, panel::Panel, pointer::owner, shown::use_shown, size::use_size};
use crate::lang::tr;
use crate::protocol::{Ablate, Watch};
use crate::view::{
    action::Action,
    flow::{Tile, picture, table},
    run::Flow,
    scale::Scale,
    snap::Snap,
};

#[derive(Properties, PartialEq)]
pub struct MethodProps {
    pub flow: Option<Snap<Flow>>,
    pub names: Vec<String>,
    pub watch: Watch,
    /// The expert that is switched off.
    pub off: Option<Ablate>,
    pub step: usize,
    pub dark: bool,
    pub dispatch: Callback<Action>,
}

/// Pixels of the canvas to one of the page.
const FINE: f64 = 2.0;

#[component]
pub fn Method(props: &MethodProps) -> Html {
    let node = use_node_ref();
    let size = use_size(&node);
    use_shown(&node, props.dispatch.reform(Action::ShowFlow));
    {
        let node = node.clone();
        use_effect_with((props.flow.clone(), size, props.dark), move |(flow, size, dark)| {
            if let (Some(flow), Some(node)) = (flow, node.cast::<Element>()) {
                // Without a context the canvas stays blank; the table has the values.
                let _ = draw(&node, flow, *size, *dark);
            }
        });
    }
    let (watch, shown) = (props.watch, props.flow.as_ref());
    let tabs = props.names.iter().enumerate().map(|(lane, name)| {
        html! {
            <button type="button" class={format!("tab lane-{lane}")} aria-pressed={(lane == watch.lane).to_string()}
                onclick={props.dispatch.reform(move |_: MouseEvent| Action::Watch(Watch { lane, ..watch }))}>
                <span class="dot" />{ name }
            </button>
        }
    });
    let tables = {
        let flow = props.flow.clone();
        Callback::from(move |()| flow.iter().map(|flow| table(&flow.drawing, &flow.frame)).collect())
    };
    let controls = html! {
        if let Some(flow) = shown {
            <Number label={tr!("token")} whole=true why={tr!("The token of the probe batch whose way is drawn. Pointing at one among the gates chooses it too.")}
                name={Some(AttrValue::from(tr!("Token drawn")))} value={(flow.frame.token + 1) as f64} min={1.0} max={flow.frame.tokens as f64}
                on_change={props.dispatch.reform(|v: f64| Action::FlowToken(v as usize - 1))} />
        }
    };
    let lane = shown.map_or(watch.lane, |flow| flow.frame.lane);
    let name = props.names.get(lane).cloned().unwrap_or_default();
    let layer = shown.map_or(0, |flow| flow.frame.layer);
    let onclick = {
        let (dispatch, off) = (props.dispatch.clone(), props.off);
        Callback::from(move |event: MouseEvent| {
            let expert =
                owner(&event, "[data-expert]").and_then(|line| line.get_attribute("data-expert")?.parse().ok());
            if let Some(expert) = expert {
                let chosen = Ablate { lane, layer, expert };
                dispatch.emit(Action::Ablate((off != Some(chosen)).then_some(chosen)));
            }
        })
    };
    html! {
        <Panel id="method" title={tr!("How it works")} {tables} step={props.step} {controls}>
            <div class="tabs">{ for tabs }</div>
            <div class={format!("way lane-{lane} layer-{layer}")} ref={node} {onclick}>
                <svg role="img" aria-label={tr!("{name}: one token's way through the layer", name)} />
                <canvas aria-hidden="true" width={(FINE * size.0).to_string()} height={(FINE * size.1).to_string()} />
            </div>
            <p class="note">{ shown.map(|flow| flow.drawing.sentence()) }</p>
        </Panel>
    }
}

fn draw(node: &Element, flow: &Flow, size: (f64, f64), dark: bool) -> Result<(), JsValue> {
    let picture = picture(&flow.drawing, &flow.frame, size);
    if let Some(svg) = node.first_element_child() {
        svg.set_inner_html(&picture.svg);
    }
    let Some(canvas) = node.last_element_child() else { return Ok(()) };
    let Some(context) = canvas.unchecked_into::<HtmlCanvasElement>().get_context("2d")? else { return Ok(()) };
    let context = context.unchecked_into::<CanvasRenderingContext2d>();
    context.clear_rect(0.0, 0.0, FINE * size.0, FINE * size.1);
    picture.tiles.iter().try_for_each(|tile| paint(&context, tile, dark))
}

fn paint(context: &CanvasRenderingContext2d, tile: &Tile, dark: bool) -> Result<(), JsValue> {
    let at = |i: usize| (tile.place[i] * FINE).round();
    let (w, h) = (at(2).max(1.0) as usize, at(3).max(1.0) as usize);
    let rows = tile.values.len() / tile.cols.max(1);
    if rows == 0 {
        return Ok(());
    }
    let nearest = |to: usize| tile.values[to / w * rows / h * tile.cols + to % w * tile.cols / w];
    let pixels = Scale::Diverging { range: tile.range }.paint((0..w * h).map(nearest), dark);
    let image = ImageData::new_with_u8_clamped_array_and_sh(Clamped(&pixels), w as u32, h as u32)?;
    context.put_image_data(&image, at(0), at(1))
}
