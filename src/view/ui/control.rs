//! Labelled form controls: number, choice, switch, button. Each explains itself in one sentence.

use wasm_bindgen::JsCast;
use web_sys::{HtmlInputElement, HtmlSelectElement};
use yew::prelude::*;

use crate::config::Named;

#[derive(Properties, PartialEq)]
pub struct NumberProps {
    pub label: AttrValue,
    pub why: AttrValue,
    pub value: f64,
    pub min: f64,
    pub max: f64,
    /// Only whole numbers.
    #[prop_or_default]
    pub whole: bool,
    /// For assistive technology, where the visible label alone would be ambiguous.
    #[prop_or_default]
    pub name: Option<AttrValue>,
    pub on_change: Callback<f64>,
}

/// A number field; a value outside its range goes to the nearest end.
#[component]
pub fn Number(props: &NumberProps) -> Html {
    let (min, max, whole, old) = (props.min, props.max, props.whole, props.value);
    let on_change = props.on_change.clone();
    let onchange = Callback::from(move |event: web_sys::Event| {
        let Some(input) = input(&event) else { return };
        let value = input.value_as_number();
        let value = match (value.is_finite(), whole) {
            (false, _) => old,
            (true, true) => value.round().clamp(min, max),
            (true, false) => value.clamp(min, max),
        };
        input.set_value(&value.to_string());
        if value != old {
            on_change.emit(value);
        }
    });
    html! {
        <label class="field" data-why={props.why.clone()}>
            <span>{ &props.label }</span>
            <input type="number" value={props.value.to_string()} min={min.to_string()} max={max.to_string()}
                step={if whole { "1" } else { "any" }} aria-label={props.name.clone()} {onchange} />
        </label>
    }
}

#[derive(Properties, PartialEq)]
pub struct ChoiceProps {
    pub label: AttrValue,
    pub why: AttrValue,
    pub options: Vec<AttrValue>,
    pub chosen: usize,
    /// The label is only for assistive technology.
    #[prop_or_default]
    pub quiet: bool,
    pub on_change: Callback<usize>,
}

#[component]
pub fn Choice(props: &ChoiceProps) -> Html {
    let on_change = props.on_change.clone();
    let onchange = Callback::from(move |event: web_sys::Event| {
        let select = event.target().and_then(|t| t.dyn_into::<HtmlSelectElement>().ok());
        if let Some(index) = select.and_then(|s| usize::try_from(s.selected_index()).ok()) {
            on_change.emit(index);
        }
    });
    let options = props.options.iter().enumerate().map(|(index, option)| {
        html! { <option value={index.to_string()} selected={index == props.chosen}>{ option }</option> }
    });
    html! {
        <label class="field" data-why={props.why.clone()}>
            if !props.quiet {
                <span>{ &props.label }</span>
            }
            <select aria-label={props.quiet.then(|| props.label.clone())} {onchange}>{ for options }</select>
        </label>
    }
}

#[derive(Properties, PartialEq)]
pub struct SwitchProps {
    pub label: AttrValue,
    pub why: AttrValue,
    pub on: bool,
    pub on_change: Callback<bool>,
}

#[component]
pub fn Switch(props: &SwitchProps) -> Html {
    let on_change = props.on_change.clone();
    let onchange = Callback::from(move |event: web_sys::Event| {
        if let Some(input) = input(&event) {
            on_change.emit(input.checked());
        }
    });
    html! {
        <label class="field switch" data-why={props.why.clone()}>
            <input type="checkbox" checked={props.on} {onchange} />
            <span>{ &props.label }</span>
        </label>
    }
}

#[derive(Properties, PartialEq)]
pub struct ButtonProps {
    pub label: AttrValue,
    pub why: AttrValue,
    #[prop_or_default]
    pub name: Option<AttrValue>,
    #[prop_or_default]
    pub pressed: Option<bool>,
    #[prop_or_default]
    pub disabled: bool,
    #[prop_or_default]
    pub class: Classes,
    pub on_click: Callback<()>,
}

#[component]
pub fn Button(props: &ButtonProps) -> Html {
    let on_click = props.on_click.clone();
    html! {
        <button type="button" class={props.class.clone()} data-why={props.why.clone()} disabled={props.disabled}
            aria-label={props.name.clone()} aria-pressed={props.pressed.map(|p| p.to_string())}
            onclick={Callback::from(move |_: MouseEvent| on_click.emit(()))}>
            { &props.label }
        </button>
    }
}

fn input(event: &web_sys::Event) -> Option<HtmlInputElement> {
    event.target().and_then(|t| t.dyn_into::<HtmlInputElement>().ok())
}

/// The value of the range slider that an input event comes from.
pub fn slider_value(event: &InputEvent) -> Option<f64> {
    input(event).map(|i| i.value_as_number())
}

/// Names of a closed choice, in order.
pub fn names<T: Named>() -> Vec<AttrValue> {
    T::ALL.iter().map(|one| AttrValue::from(one.name())).collect()
}

/// Place of a value among its choice.
pub fn position<T: Named + PartialEq>(value: T) -> usize {
    T::ALL.iter().position(|&one| one == value).unwrap_or(0)
}
