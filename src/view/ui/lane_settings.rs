//! Controls for the settings that a lane's method declares, each by its kind. Knows no method.

use yew::prelude::*;

use super::control::{Choice, Number, Switch};
use crate::args::limits;
use crate::args::{Kind, Named, Projection, SavedModule, Setting, Shown, Value};
use crate::config::Lane;
use crate::lang::{said, tr};
use crate::view::edit::{PATTERNS, choose, sizes};

fn why_saved(module: SavedModule) -> String {
    match module {
        SavedModule::Embedding => {
            tr!("Train the embedding whole, as PEFT's modules_to_save does: the lane's own copy, while the head stays.")
        }
        SavedModule::Head => {
            tr!(
                "Train the head whole, as PEFT's modules_to_save does: a copy of its own, no longer tied to the embedding."
            )
        }
    }
}

/// What the controls of one lane act on.
pub struct LaneSettings<'a> {
    pub lane: &'a Lane,
    /// As the lane is called on the page; part of the names of controls outside its menu.
    pub name: &'a str,
    /// Layers of the network.
    pub layers: usize,
    pub edit: &'a Callback<Lane>,
}

impl LaneSettings<'_> {
    /// Controls of all settings that are shown at this place.
    pub fn at(&self, place: Shown) -> Html {
        let described = self.lane.described();
        let refused = |setting: &Setting| (self.lane.method.extras.refuses)(&self.lane.settings, setting.key).is_some();
        let hidden = |setting: &Setting| {
            refused(setting) || described.iter().any(|other| other.with == Some(setting.key) && refused(other))
        };
        let mut by_layer = false;
        let shown = described.iter().filter(|setting| setting.shown == place && !hidden(setting)).filter(|setting| {
            // Of several sizes by layer, the first.
            !matches!(setting.kind, Kind::PerLayer(..)) || !std::mem::replace(&mut by_layer, true)
        });
        html! { <>{ for shown.map(|setting| self.control(setting, place)) }</> }
    }

    /// What a lane of a language model has beyond its method: a rate of its own, and where it sits. `lr` is the optimiser's.
    pub fn of_language(&self, lr: f64) -> Html {
        let changes = |change: Box<dyn Fn(Lane, bool) -> Lane>| {
            let lane = self.lane.clone();
            self.edit.reform(move |on| change(lane.clone(), on))
        };
        let lane = self.lane.clone();
        let on_rate = self.edit.reform(move |lr| Lane { lr: Some(lr), ..lane.clone() });
        let all: Vec<usize> = (0..self.layers).collect();
        let projections = Projection::ALL.iter().map(|&one| {
            let on = self.lane.targets.as_ref().is_none_or(|targets| targets.contains(&one));
            let change = Box::new(move |lane: Lane, on| Lane { targets: choose(lane.targets.as_ref(), Projection::ALL, one, on), ..lane });
            html! { <Switch label={one.name()} {on} why={tr!("Adapt this projection of each block chosen below; one stays.")} on_change={changes(change)} /> }
        });
        let layers = (0..self.layers).map(|one| {
            let (on, all) = (self.lane.layers.as_ref().is_none_or(|layers| layers.contains(&one)), all.clone());
            let change = Box::new(move |lane: Lane, on| Lane { layers: choose(lane.layers.as_ref(), &all, one, on), ..lane });
            html! { <Switch label={(one + 1).to_string()} {on} why={tr!("Adapt this block; one stays.")} on_change={changes(change)} /> }
        });
        let tables = SavedModule::ALL.iter().map(|&one| {
            let change = Box::new(move |mut lane: Lane, on: bool| {
                lane.modules_to_save.retain(|other| *other != one);
                lane.modules_to_save.extend(on.then_some(one));
                lane
            });
            html! { <Switch label={one.name()} on={self.lane.saves(one)} why={why_saved(one)} on_change={changes(change)} /> }
        });
        html! {
            <>
                <Number label={tr!("learning rate")} value={self.lane.lr.unwrap_or(lr)} min={limits::LR.min} max={limits::LR.max} on_change={on_rate}
                    why={tr!("The largest step of this lane's optimiser, in place of the task's: methods do best at different rates.")} />
                <span class="switches">{ for projections }</span>
                <span class="switches"><span class="note">{ tr!("blocks") }</span>{ for layers }</span>
                <span class="switches"><span class="note">{ tr!("trains whole") }</span>{ for tables }</span>
                if let Some(begin) = &self.lane.begin {
                    <Switch label={tr!("begins from {begin}", begin)} on=true on_change={changes(Box::new(|lane, _| Lane { begin: None, ..lane }))}
                        why={tr!("The run begins with this opened adapter's weights; switched off, with fresh ones.")} />
                }
            </>
        }
    }

    /// Hands the lane on with another value.
    fn sets<T: 'static>(&self, key: &'static str, value: impl Fn(T) -> Value + 'static) -> Callback<T> {
        let lane = self.lane.clone();
        self.edit.reform(move |given| lane.clone().with(key, value(given)).with_bounds())
    }

    fn control(&self, setting: &'static Setting, place: Shown) -> Html {
        let (key, label, why) = (setting.key, said(setting.label), said(setting.why));
        // In the row, next to other lanes' controls of the same label.
        let name = (place == Shown::Row).then(|| AttrValue::from(format!("{} {label}", self.name)));
        let held = self.lane.settings.get(key);
        match (setting.kind, held) {
            (Kind::Whole(range), _) => {
                let value = self.lane.settings.maybe_whole(key);
                let bound = setting.at_most.and_then(|key| self.lane.settings.maybe_whole(key));
                let most = (self.lane.method.extras.most)(&self.lane.settings, key).map(|most| most.value);
                let max = bound.into_iter().chain(most).fold(range.max, usize::min);
                if let Some(sizes) = self.sizes_in_place_of(key) {
                    let listed = sizes.iter().map(usize::to_string).collect::<Vec<_>>().join(" · ");
                    return html! { <span class="note">{ format!("{label} {listed}") }</span> };
                }
                // What is left out is shown as what it then is, where the method's budget tells.
                let budget = self.lane.method.extras.budget.map(|budget| budget(&self.lane.settings).last);
                let Some(value) = value.or(budget) else { return html! {} };
                html! {
                    <Number {label} {name} whole=true value={value as f64} min={range.min as f64} max={max as f64} {why}
                        on_change={self.sets(key, |value: f64| (value as usize).into())} />
                }
            }
            (Kind::Real(range), Some(&Value::Real(value))) => html! {
                <Number {label} {name} {value} min={range.min} max={range.max} {why} on_change={self.sets(key, Value::Real)} />
            },
            (Kind::Flag, Some(&Value::Flag(on))) => html! {
                <Switch {label} {on} {why} on_change={self.sets(key, Value::Flag)} />
            },
            (Kind::Choice(names), Some(&Value::Choice(value))) => {
                let chosen = names.iter().position(|&name| name == value).unwrap_or(0);
                let options: Vec<AttrValue> = names.iter().map(|name| said(name).into()).collect();
                let on_change =
                    self.sets(key, |index: usize| Value::Choice(names.get(index).copied().unwrap_or(names[0])));
                html! { <Choice {label} {options} {chosen} {why} {on_change} /> }
            }
            (Kind::Divisor(of), _) => self.divisor(setting, of),
            (Kind::PerLayer(of, range), _) => self.per_layer(setting, of, range.max),
            _ => html! {},
        }
    }

    /// Sizes by layer, where they stand in place of this setting.
    fn sizes_in_place_of(&self, key: &str) -> Option<Vec<usize>> {
        let described = self.lane.described();
        let by_layer = described.iter().find(|s| matches!(s.kind, Kind::PerLayer(of, _) if of == key))?;
        self.lane.settings.sizes(by_layer.key).map(<[usize]>::to_vec)
    }

    /// A number that divides another, of those that every layer allows: "2 × 4" for eight.
    fn divisor(&self, setting: &'static Setting, of: &'static str) -> Html {
        let whole = |layer| self.lane.settings_at(layer).maybe_whole(of).unwrap_or(1);
        let most = self.lane.settings.maybe_whole(of).unwrap_or(1);
        let shapes: Vec<usize> =
            (1..=most).filter(|p| (0..self.layers).all(|layer| whole(layer).is_multiple_of(*p))).collect();
        let varies = self.sizes_in_place_of(of).is_some();
        let name = |p: &usize| if varies { format!("{p} × …") } else { format!("{p} × {}", most / p) };
        let options: Vec<AttrValue> =
            std::iter::once(tr!("no").into()).chain(shapes.iter().map(|p| name(p).into())).collect();
        let now = self.lane.settings.maybe_whole(setting.key);
        let chosen = now.and_then(|p| shapes.iter().position(|&q| q == p)).map_or(0, |at| at + 1);
        let on_change = self.sets(setting.key, move |index: usize| {
            index.checked_sub(1).and_then(|at| shapes.get(at)).map_or(Value::Unset, |&p| p.into())
        });
        html! { <Choice label={said(setting.label)} {options} {chosen} {on_change} why={said(setting.why)} /> }
    }

    /// Sizes layer by layer, by a pattern of equal total or by hand.
    fn per_layer(&self, setting: &'static Setting, of: &'static str, most: usize) -> Html {
        let layers = self.layers;
        let now: Vec<usize> = (0..layers).filter_map(|layer| self.lane.settings_at(layer).maybe_whole(of)).collect();
        if layers < 2 || now.len() < layers {
            return html! {};
        }
        let mean = now.iter().sum::<usize>().div_ceil(layers);
        let own = PATTERNS.iter().position(|pattern| sizes(pattern, layers, mean) == now);
        let mut options: Vec<AttrValue> = PATTERNS.iter().map(|pattern| said(pattern).into()).collect();
        if own.is_none() {
            options.push(tr!("by hand").into());
        }
        let size = self.lane.method.extras.size.filter(|size| size.key == of);
        let multiple = size.map_or(1, |size| (size.multiple_of)(&self.lane.settings));
        let fit = move |sizes: Vec<usize>| -> Value {
            sizes
                .iter()
                .map(|n| n.next_multiple_of(multiple).min(most / multiple * multiple))
                .collect::<Vec<_>>()
                .into()
        };
        let on_pattern = self.sets(setting.key, {
            let now = now.clone();
            move |index: usize| fit(PATTERNS.get(index).map_or(now.clone(), |pattern| sizes(pattern, layers, mean)))
        });
        let fields = (0..layers).map(|layer| {
            let (value, others) = (now[layer] as f64, now.clone());
            let on_change = self.sets(setting.key, move |value: f64| {
                let mut now = others.clone();
                now[layer] = value as usize;
                fit(now)
            });
            html! {
                <Number label={tr!("layer {layer}", layer)} whole=true {value} min=1.0 max=64.0 {on_change}
                    why={tr!("Experts on this layer (for LoRA: its rank). Restarts the run.")} />
            }
        });
        html! {
            <>
                <Choice label={said(setting.label)} {options} chosen={own.unwrap_or(PATTERNS.len())} on_change={on_pattern}
                    why={said(setting.why)} />
                { for fields }
            </>
        }
    }
}
