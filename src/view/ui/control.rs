//! Labelled form controls: number, choice, switch, button. Each explains itself in one sentence.

use wasm_bindgen::JsCast;
use web_sys::{HtmlInputElement, HtmlSelectElement};
use yew::prelude::*;

use crate::config::Named;
use crate::decimal::plain;
use crate::lang::said;
use crate::view::action::Action;

/// Keeps a control's state as its properties have it: set when they change and after each change by the person, who
/// may have entered what was refused. Never in between: the panels around are drawn anew many times a second, and
/// text being typed must survive that.
#[hook]
fn use_kept<E, T>(node: &NodeRef, value: T, set: fn(&E, &T)) -> Callback<()>
where
    E: AsRef<web_sys::Node> + From<wasm_bindgen::JsValue> + 'static,
    T: PartialEq + 'static,
{
    let changes = use_state(|| 0u32);
    {
        let node = node.clone();
        use_effect_with((value, *changes), move |(value, _)| {
            if let Some(element) = node.cast::<E>() {
                set(&element, value);
            }
        });
    }
    Callback::from(move |()| changes.set(changes.wrapping_add(1)))
}

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
    let node = use_node_ref();
    let changed = use_kept(&node, props.value, |input: &HtmlInputElement, &value| input.set_value(&plain(value)));
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
        if value != old {
            on_change.emit(value);
        }
        changed.emit(());
    });
    html! {
        <label class="field" data-why={props.why.clone()}>
            <span>{ &props.label }</span>
            <input ref={node} type="number" min={plain(min)} max={plain(max)}
                step={if whole { "1" } else { "any" }} aria-label={props.name.clone()} {onchange} />
        </label>
    }
}

/// Whether a menu has been opened once, and what its summary calls when it is pressed. Its controls are made then: they are more
/// than half of what the page would begin with.
#[hook]
pub fn use_opened() -> (bool, Callback<MouseEvent>) {
    let opened = use_state_eq(|| false);
    let is_opened = *opened;
    (is_opened, Callback::from(move |_| opened.set(true)))
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
    let node = use_node_ref();
    let kept = (props.chosen, props.options.clone());
    let changed =
        use_kept(&node, kept, |select: &HtmlSelectElement, (chosen, _)| select.set_selected_index(*chosen as i32));
    let on_change = props.on_change.clone();
    let onchange = Callback::from(move |event: web_sys::Event| {
        let select = event.target().and_then(|t| t.dyn_into::<HtmlSelectElement>().ok());
        if let Some(index) = select.and_then(|s| usize::try_from(s.selected_index()).ok()) {
            on_change.emit(index);
        }
        changed.emit(());
    });
    let options = props.options.iter().enumerate().map(|(index, option)| {
        html! { <option value={index.to_string()}>{ option }</option> }
    });
    html! {
        <label class="field" data-why={props.why.clone()}>
            if !props.quiet {
                <span>{ &props.label }</span>
            }
            <select ref={node} aria-label={props.quiet.then(|| props.label.clone())} {onchange}>{ for options }</select>
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
    let node = use_node_ref();
    let changed = use_kept(&node, props.on, |input: &HtmlInputElement, on| input.set_checked(*on));
    let on_change = props.on_change.clone();
    let onchange = Callback::from(move |event: web_sys::Event| {
        if let Some(input) = input(&event) {
            on_change.emit(input.checked());
        }
        changed.emit(());
    });
    html! {
        <label class="field switch" data-why={props.why.clone()}>
            <input ref={node} type="checkbox" {onchange} />
            <span>{ &props.label }</span>
        </label>
    }
}

/// A button's looks. A plain function of them: it keeps no state.
#[derive(Default)]
pub struct Button {
    pub label: AttrValue,
    pub why: AttrValue,
    pub class: &'static str,
    /// For assistive technology, where the visible label alone would be ambiguous.
    pub name: Option<String>,
    pub disabled: bool,
}

impl Button {
    pub fn new(label: impl Into<AttrValue>, why: impl Into<AttrValue>) -> Self {
        Self { label: label.into(), why: why.into(), ..Self::default() }
    }

    /// One among text, without a frame.
    pub fn quiet(label: impl Into<AttrValue>, why: impl Into<AttrValue>) -> Self {
        Self { class: "quiet", ..Self::new(label, why) }
    }

    /// The one that is most likely meant.
    pub fn primary(label: impl Into<AttrValue>, why: impl Into<AttrValue>) -> Self {
        Self { class: "primary", ..Self::new(label, why) }
    }

    pub fn named(self, name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), ..self }
    }

    pub fn disabled(self, disabled: bool) -> Self {
        Self { disabled, ..self }
    }

    /// The button, calling back when pressed.
    pub fn calls(self, on_click: Callback<()>) -> Html {
        html! {
            <button type="button" class={self.class} data-why={self.why} disabled={self.disabled} aria-label={self.name}
                onclick={Callback::from(move |_: MouseEvent| on_click.emit(()))}>
                { self.label }
            </button>
        }
    }

    /// The button, dispatching an action when pressed.
    pub fn acts(self, dispatch: &Callback<Action>, action: Action) -> Html {
        let dispatch = dispatch.clone();
        self.calls(Callback::from(move |()| dispatch.emit(action.clone())))
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
    T::ALL.iter().map(|one| AttrValue::from(said(one.name()))).collect()
}

/// Place of a value among its choice.
pub fn position<T: Named + PartialEq>(value: T) -> usize {
    T::ALL.iter().position(|&one| one == value).unwrap_or(0)
}
