//! What a sweep is asked for with: lane, one or two axes with their values, steps and seeds. Knows nothing of results.

use wasm_bindgen::JsCast;
use web_sys::HtmlInputElement;
use yew::prelude::*;

use crate::config::Config;
use crate::lang::{said, tr};
use crate::studio::sweep::{Along, Axis, MOST_SEEDS, Plan, axes, written};
use crate::view::format::{count, lane_name};
use crate::view::ui::control::{Choice, Number};

/// The form as filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Form {
    pub lane: usize,
    /// `None` only where the configuration has no such lane.
    pub x: Option<Axis>,
    pub x_values: String,
    pub y: Option<Axis>,
    pub y_values: String,
    pub steps: usize,
    pub seeds: usize,
}

/// Steps offered first: the order of methods shows by then, and a grid is done in seconds.
const STEPS: usize = 300;

impl Form {
    /// For a lane: its first two axes, which for most methods are rank and learning rate.
    pub fn new(base: &Config, lane: usize) -> Self {
        let mut axes = axes(base, lane).into_iter();
        let (x, y) = (axes.next(), axes.next());
        let values = |axis: &Option<Axis>| axis.as_ref().map(|axis| written(&axis.values)).unwrap_or_default();
        Self { lane, x_values: values(&x), y_values: values(&y), x, y, steps: STEPS, seeds: 1 }
    }

    /// # Errors
    /// In words.
    pub fn plan(&self, base: &Config) -> Result<Plan, String> {
        let x = self.x.clone().ok_or(tr!("The configuration has no such lane."))?;
        if self.y.as_ref() == Some(&x) {
            return Err(tr!("Both axes are {}; choose another for one of them.", said(x.name)));
        }
        let x = Along::read(x, &self.x_values)?;
        let y = self.y.clone().map(|y| Along::read(y, &self.y_values)).transpose()?;
        Ok(Plan { base: base.clone(), lane: self.lane, x, y, steps: self.steps, seeds: self.seeds })
    }
}

#[derive(Properties, PartialEq)]
pub struct SweepFormProps {
    pub base: Config,
    pub form: Form,
    pub on_change: Callback<Form>,
}

#[component]
pub fn SweepForm(props: &SweepFormProps) -> Html {
    let SweepFormProps { base, form, on_change } = props;
    let lanes: Vec<_> = base.lanes.iter().collect();
    let names: Vec<AttrValue> = (0..lanes.len()).map(|index| AttrValue::from(lane_name(&lanes, index))).collect();
    let axes = axes(base, form.lane);
    let titles: Vec<AttrValue> = axes.iter().map(|axis| AttrValue::from(said(axis.name))).collect();
    let mut optional = titles.clone();
    optional.push(AttrValue::from(tr!("nothing: a curve")));
    let at = |axis: &Axis| axes.iter().position(|a| a == axis);
    let change = |with: fn(Form, &Config, &[Axis], usize) -> Form| {
        let (form, base, axes, on_change) = (form.clone(), base.clone(), axes.clone(), on_change.clone());
        Callback::from(move |index: usize| on_change.emit(with(form.clone(), &base, &axes, index)))
    };
    let lane = change(|old, base, _, lane| Form { steps: old.steps, seeds: old.seeds, ..Form::new(base, lane) });
    let x = change(|old, _, axes, index| Form {
        x: axes.get(index).cloned(),
        x_values: axes.get(index).map(|x| written(&x.values)).unwrap_or_default(),
        ..old
    });
    let y = change(|old, _, axes, index| {
        let y = axes.get(index).cloned();
        Form { y_values: y.as_ref().map(|y| written(&y.values)).unwrap_or_default(), y, ..old }
    });
    let number = |with: fn(Form, usize) -> Form| {
        let (form, on_change) = (form.clone(), on_change.clone());
        Callback::from(move |value: f64| on_change.emit(with(form.clone(), value as usize)))
    };
    let text = |with: fn(Form, String) -> Form| {
        let (form, on_change) = (form.clone(), on_change.clone());
        Callback::from(move |event: InputEvent| {
            if let Some(input) = event.target().and_then(|t| t.dyn_into::<HtmlInputElement>().ok()) {
                on_change.emit(with(form.clone(), input.value()));
            }
        })
    };
    let runs = form.plan(base).ok().map(|plan| plan.cells() * plan.seeds);
    html! {
        <div class="form">
            <Choice label={tr!("Lane")} why={tr!("The lane of the lab's configuration that is swept.")} options={names} chosen={form.lane} on_change={lane} />
            <fieldset>
                <legend>{ tr!("Across") }</legend>
                <Choice label={tr!("Across")} quiet=true why={tr!("What varies from left to right.")} options={titles} chosen={form.x.as_ref().and_then(at).unwrap_or(0)} on_change={x} />
                <input type="text" inputmode="decimal" value={form.x_values.clone()} aria-label={tr!("Values of {}", form.x.as_ref().map_or_else(String::new, |x| said(x.name)))}
                    data-why={tr!("Numbers, separated by commas.")} oninput={text(|form, x_values| Form { x_values, ..form })} />
            </fieldset>
            <fieldset>
                <legend>{ tr!("Down") }</legend>
                <Choice label={tr!("Down")} quiet=true why={tr!("What varies from top to bottom.")} options={optional}
                    chosen={form.y.as_ref().and_then(at).unwrap_or(axes.len())} on_change={y} />
                if let Some(y) = &form.y {
                    <input type="text" inputmode="decimal" value={form.y_values.clone()} aria-label={tr!("Values of {}", said(y.name))}
                        data-why={tr!("Numbers, separated by commas.")} oninput={text(|form, y_values| Form { y_values, ..form })} />
                }
            </fieldset>
            <div class="row">
                <Number label={tr!("Steps")} why={tr!("Training steps of each run.")} value={form.steps as f64} min={1.0} max={100_000.0} whole=true
                    on_change={number(|form, steps| Form { steps, ..form })} />
                <Number label={tr!("Seeds")} why={tr!("Runs of each cell, from the lab's seed on; more than one gives a spread.")} value={form.seeds as f64}
                    min={1.0} max={MOST_SEEDS as f64} whole=true on_change={number(|form, seeds| Form { seeds, ..form })} />
            </div>
            if let Some(runs) = runs {
                <p class="note">{ tr!("{} runs of {} steps", count(runs), count(form.steps)) }</p>
            }
        </div>
    }
}
