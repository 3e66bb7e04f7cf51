//! A text that is read with every adapter at once, and with one of them: what each costs, and what the switch took.

use wasm_bindgen::JsCast;
use web_sys::HtmlTextAreaElement;
use yew::prelude::*;

use super::ramp::ramp;
use crate::cases::languages::measured::Measured;
use crate::cases::languages::state::{Chosen, FIRST, MOST, Msg, State};
use crate::cases::languages::wire::{Reading, Switched};
use crate::cases::languages::words::{adapter, reading, short};
use crate::decimal::tenths;
use crate::lang::tr;
use crate::order::falling;
use crate::view::format::{count, three};
use crate::view::scale::Scale;
use crate::view::snap::Snap;
use crate::view::ui::control::Choice;
use crate::view::ui::tint::use_tints;

/// Adapters that are listed, the cheapest first.
const LISTED: usize = 8;
/// What a row's bar can be long.
const LONG: f64 = 160.0;

pub fn swap(state: &State, dark: bool, tell: &Callback<Msg>) -> Html {
    let measured = &state.measured;
    let typed = tell.reform(|event: InputEvent| {
        let area = event.target().and_then(|target| target.dyn_into::<HtmlTextAreaElement>().ok());
        Msg::Text(area.map(|area| area.value()).unwrap_or_default())
    });
    let samples = measured.samples.clone();
    let sample = samples.iter().position(|sample| *sample == state.text);
    let mut options: Vec<AttrValue> = vec![tr!("your own text").into()];
    options.extend((0..samples.len()).map(|at| AttrValue::from(short(measured, at))));
    let pick =
        tell.reform(move |at: usize| Msg::Text(at.checked_sub(1).map(|at| samples[at].clone()).unwrap_or_default()));
    let page = state.chosen == Chosen::Page;
    let own = state.adapter().flatten();
    html! {
        <section class="panel swap" aria-labelledby="swap-title">
            <header><h3 id="swap-title">{ tr!("Read a text with any of them") }</h3></header>
            <div class="halves">
                <div>
                    <div class="row wrap">
                        <Choice label={tr!("A held-out sentence in")} why={tr!("Words of each language's text that no adapter was trained on; or type and paste below.")} options={options}
                            chosen={sample.map_or(0, |at| at + 1)} on_change={pick} />
                    </div>
                    <textarea aria-label={tr!("Text to read")} rows="5" value={state.text.clone()} oninput={typed} dir="auto" />
                    <p class="note">{ read_of(state) }</p>
                    if let Some(reading) = &state.reading {
                        <p class="said" role="status">{ self::reading(measured, reading) }</p>
                        <p class="said">{ chosen(state, reading) }</p>
                    }
                    <Passage text={state.text.clone()} switched={state.shown().cloned().map(Snap::new)} {dark} />
                    if let Some(switched) = state.shown() {
                        <p class="said switched">{ switch(measured, switched) }</p>
                    }
                </div>
                <div>
                    <div class="row wrap">
                        <div class="choices" role="group" aria-label={tr!("Who chooses the adapter")}>
                            <button type="button" aria-pressed={page.to_string()} onclick={tell.reform(|_: MouseEvent| Msg::Choose(Chosen::Page))}
                                data-why={tr!("The adapter with the fewest bits over the first {FIRST} bytes, or none.", FIRST)}>{ tr!("The page chooses") }</button>
                            <button type="button" aria-pressed={(!page).to_string()} onclick={tell.reform(move |_: MouseEvent| Msg::Choose(Chosen::Own(own)))}
                                data-why={tr!("The adapter that you press in the list.")}>{ tr!("I choose") }</button>
                        </div>
                        <Choice label={tr!("adapter")} why={tr!("Reads the text with this adapter; the base stays as it is.")} options={all(measured)}
                            chosen={own.map_or(0, |at| at + 1)} on_change={tell.reform(|at: usize| Msg::Choose(Chosen::Own(at.checked_sub(1))))} />
                    </div>
                    if let Some(reading) = &state.reading {
                        { bars(measured, reading, state.adapter(), tell) }
                    } else {
                        <p class="note">{ if state.text.is_empty() { tr!("Type a text, and every adapter reads it.") } else { tr!("The text is read as soon as base and adapters are there.") } }</p>
                    }
                </div>
            </div>
        </section>
    }
}

fn all(measured: &Measured) -> Vec<AttrValue> {
    let names = (0..measured.codes.len()).map(|at| AttrValue::from(short(measured, at)));
    [AttrValue::from(tr!("none, the base alone"))].into_iter().chain(names).collect()
}

fn read_of(state: &State) -> String {
    match state.text.len() {
        long if long > MOST => {
            tr!("{} bytes, of which the first {} are read. Nothing leaves this machine.", count(long), count(MOST))
        }
        short => tr!("{} bytes. Nothing leaves this machine.", count(short)),
    }
}

fn chosen(state: &State, reading: &Reading) -> String {
    let Some(found) = state.found() else { return String::new() };
    let own = found.unwrap_or(reading.first.len() - 1);
    let bytes = reading.read.min(FIRST);
    tr!(
        "By the first {bytes} bytes the page chooses {adapter}: {bits} bits per byte there.",
        bytes,
        adapter = adapter(&state.measured, found),
        bits = format!("{:.2}", reading.first[own])
    )
}

fn switch(measured: &Measured, switched: &Switched) -> String {
    let mean = switched.bits.iter().map(|&bits| f64::from(bits)).sum::<f64>() / switched.bits.len().max(1) as f64;
    tr!(
        "Switched to {adapter} in {switch} ms: one number written, no weights uploaded, no new pipelines. Reading {bytes} bytes with it took {read} ms: {mean} bits per byte.",
        adapter = adapter(measured, switched.adapter),
        switch = brief(switched.switch),
        bytes = count(switched.bits.len()),
        read = three(switched.read),
        mean = format!("{mean:.2}")
    )
}

/// Browsers' clocks go in steps of a tenth of a millisecond.
fn brief(milliseconds: f64) -> String {
    if milliseconds < 0.1 { tr!("less than 0.1") } else { tenths(milliseconds) }
}

/// The cheapest adapters, the base, and the one in use, as bars that can be pressed.
fn bars(measured: &Measured, reading: &Reading, used: Option<Option<usize>>, tell: &Callback<Msg>) -> Html {
    let base = reading.bits.len() - 1;
    let order = falling(&reading.bits.iter().map(|bits| -bits).collect::<Vec<_>>());
    let mut rows: Vec<usize> = order.iter().copied().filter(|&at| at != base).take(LISTED).collect();
    let used = used.map(|adapter| adapter.unwrap_or(base));
    rows.extend(used.filter(|at| *at != base && !rows.contains(at)));
    let at = rows.iter().position(|&at| reading.bits[at] > reading.bits[base]).unwrap_or(rows.len());
    rows.insert(at, base);
    let most = rows.iter().map(|&at| reading.bits[at]).fold(1.0, f64::max);
    let place = |at: usize| order.iter().position(|&other| other == at).map_or(0, |place| place + 1);
    let row = |at: usize| {
        let own = (at != base).then_some(at);
        let name = own.map_or_else(|| tr!("no adapter"), |at| short(measured, at));
        let width = LONG * reading.bits[at] / most;
        html! {
            <li key={at}>
                <button type="button" class={if at == base { "base-row" } else { "" }} aria-pressed={(used == Some(at)).to_string()}
                    onclick={tell.reform(move |_: MouseEvent| Msg::Choose(Chosen::Own(own)))}>
                    <span class="place">{ place(at) }</span>
                    <span class="who">{ name }</span>
                    <svg aria-hidden="true" viewBox={format!("0 0 {LONG} 8")} preserveAspectRatio="none"><rect width={tenths(width)} height="8" /></svg>
                    <b>{ format!("{:.2}", reading.bits[at]) }</b>
                </button>
            </li>
        }
    };
    html! {
        <>
            <ol class="bars" aria-label={tr!("Bits per byte by adapter, the cheapest first")}>{ for rows.iter().copied().map(row) }</ol>
            <p class="note">{ tr!("Bits per byte; fewer are better, and guessing costs 8. All {} have taken {} ms. Press one to read with it.", count(reading.bits.len()), three(reading.milliseconds)) }</p>
        </>
    }
}

#[derive(Properties, PartialEq)]
struct PassageProps {
    text: AttrValue,
    switched: Option<Snap<Switched>>,
    dark: bool,
}

/// The text, each character tinted by what it cost.
#[component]
fn Passage(props: &PassageProps) -> Html {
    let node = use_node_ref();
    let bits: &[f32] = props.switched.as_ref().map_or(&[], |switched| &switched.bits);
    let characters: Vec<(usize, char)> =
        props.text.char_indices().take_while(|(at, c)| at + c.len_utf8() <= bits.len()).collect();
    // Per byte, as everything here; 8 is what guessing costs.
    let tints: Vec<Option<f32>> = characters
        .iter()
        .map(|&(at, c)| Some(bits[at..at + c.len_utf8()].iter().sum::<f32>() / c.len_utf8() as f32 / 8.0))
        .collect();
    use_tints(&node, tints, Scale::Unit, props.dark);
    if characters.is_empty() {
        return Html::default();
    }
    html! {
        <figure>
            <figcaption>
                <span>{ tr!("Each character by its bits per byte with this adapter") }</span>
                { ramp(["0", "8"], Scale::Unit, (0.0, 1.0), props.dark) }
            </figcaption>
            <p class="tinted" ref={node} dir="auto">
                { for characters.iter().map(|(_, c)| html! { <span class="tint">{ c.to_string() }</span> }) }
            </p>
        </figure>
    }
}
