//! One lane: a method with its settings, and the layers it adapts. Everything that others need to know of it follows from
//! the method's description. Knows nothing of documents or of how it trains.

use super::description::{Causal, Change, Method, Peft, Reach, Widths};
use super::full::FULL;
use super::modifier::description::Mark;
use super::modifier::list;
use super::modifier::per_layer::{at_layer, bounded};
use crate::args::{Kind, Projection, SavedModule, Setting, Settings, Value};
use crate::lang::said;
use crate::task::network::LinearSite;

#[derive(Clone)]
pub struct Lane {
    pub method: &'static Method,
    pub settings: Settings,
    /// `None`: all of them.
    pub layers: Option<Vec<usize>>,
    /// Of a transformer's blocks, the projections adapted; `None`: all of them.
    pub targets: Option<Vec<Projection>>,
    /// Of a language model, what it trains whole beside its adapters.
    pub modules_to_save: Vec<SavedModule>,
    /// In place of the optimiser's learning rate.
    pub lr: Option<f64>,
    /// The opened adapter that it begins from, by name; of a language model.
    pub begin: Option<String>,
}

impl PartialEq for Lane {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.method, other.method)
            && (&self.settings, &self.layers, &self.targets, &self.modules_to_save, self.lr, &self.begin)
                == (&other.settings, &other.layers, &other.targets, &other.modules_to_save, other.lr, &other.begin)
    }
}

impl std::fmt::Debug for Lane {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { method, settings, layers, targets, modules_to_save, lr, begin } = self;
        write!(
            f,
            "{} {settings:?} layers {layers:?} targets {targets:?} saves {modules_to_save:?} lr {lr:?} from {begin:?}",
            method.name
        )
    }
}

impl From<&'static Method> for Lane {
    /// With every setting at its default, on every layer.
    fn from(method: &'static Method) -> Self {
        let settings = Settings::defaults(&list::settings(method));
        Self { method, settings, layers: None, targets: None, modules_to_save: Vec::new(), lr: None, begin: None }
    }
}

/// A setting that is not allowed beside the others: its key, its value, and what would be.
pub struct Broken {
    pub key: &'static str,
    pub value: Value,
    pub allowed: String,
}

impl Lane {
    /// All settings that it has.
    pub fn described(&self) -> Vec<&'static Setting> {
        list::settings(self.method)
    }

    /// The lane with another value of a setting that its method has.
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        debug_assert!(self.settings.get(key).is_some(), "{} has no setting \"{key}\"", self.method.name);
        self.settings.set(key, value);
        self
    }

    /// The lane with what its other settings do not allow brought down, or back to its default.
    pub fn with_bounds(mut self) -> Self {
        let described = self.described();
        bounded(&mut self.settings, &described);
        for setting in &described {
            if (self.method.extras.refuses)(&self.settings, setting.key).is_some() {
                self.settings.set(setting.key, setting.default.clone());
            }
        }
        self
    }

    /// The lane on these layers alone.
    pub fn on(self, layers: Vec<usize>) -> Self {
        Self { layers: Some(layers), ..self }
    }

    /// Of gates that read ahead, what a causal model has in their place.
    pub fn reads_ahead(&self) -> Option<Causal> {
        self.method.extras.causal.filter(|causal| (causal.reads_ahead)(&self.settings))
    }

    /// The lane with gates that read nothing ahead.
    pub fn causal(mut self) -> Self {
        if let Some(causal) = self.reads_ahead() {
            self.settings.set(causal.key, causal.instead);
        }
        self
    }

    /// The lane with gates that read ahead, where those that it has are what takes their place.
    pub fn reading_ahead(mut self) -> Self {
        if let Some(causal) = self.method.extras.causal
            && self.settings.get(causal.key) == Some(&Value::Choice(causal.instead))
            && let Some(setting) = self.described().into_iter().find(|setting| setting.key == causal.key)
        {
            self.settings.set(causal.key, setting.default.clone());
        }
        self
    }

    /// A lane that adapts nothing: the frozen network.
    pub fn base() -> Self {
        Self::from(&FULL).on(Vec::new())
    }

    /// Whether it adapts this linear layer.
    pub fn adapts(&self, site: &LinearSite) -> bool {
        self.layers.as_ref().is_none_or(|layers| layers.contains(&site.layer))
            && self.targets.as_ref().is_none_or(|targets| site.projection.is_some_and(|one| targets.contains(&one)))
    }

    /// Whether it trains this module whole.
    pub fn saves(&self, module: SavedModule) -> bool {
        self.modules_to_save.contains(&module)
    }

    /// Its settings as they are on one layer, where sizes differ between them.
    pub fn settings_at(&self, layer: usize) -> Settings {
        at_layer(&self.settings, &self.described(), layer)
    }

    pub fn reach_at(&self, layer: usize) -> Reach {
        (self.method.reach)(&self.settings_at(layer))
    }

    /// Whether it routes, and so has gates to show.
    pub fn is_gated(&self) -> bool {
        self.method.extras.gate.is_some()
    }

    /// How its gates are computed, in a sentence.
    pub fn gate_why(&self) -> &'static str {
        self.method.extras.gate.map_or("", |why| why(&self.settings))
    }

    /// Experts behind its gates on a layer; 0 without gates.
    pub fn experts_at(&self, layer: usize) -> usize {
        match (self.method.change)(&self.settings_at(layer), Widths { inputs: 1, outputs: 1 }) {
            Change::Product(product) if product.gated => product.experts,
            _ => 0,
        }
    }

    /// Whether `train.py` of `lab::python` can go on with it: the method, with nothing that a modifier adds but a balance.
    pub fn is_scripted(&self) -> bool {
        self.is_plain_but_for(&["balance"])
    }

    /// Whether `load.py` of `lab::python` reads what it is saved as.
    pub fn is_loaded(&self) -> bool {
        self.is_plain_but_for(&["balance", "quantised"])
    }

    /// Whether the scripts have its method, and no modifier but these changes it.
    fn is_plain_but_for(&self, modifiers: &[&str]) -> bool {
        let others = list::modifiers(self.method)
            .filter(|modifier| !modifiers.contains(&modifier.name))
            .flat_map(|modifier| modifier.settings)
            .any(|setting| self.settings.get(setting.key) != Some(&setting.default));
        (self.method.extras.scripted)(&self.settings) && !others && self.modules_to_save.is_empty()
    }

    /// Its form as a PEFT adapter, where PEFT has one for its settings.
    pub fn peft(&self) -> Option<Peft> {
        self.method.extras.peft.filter(|peft| (peft.allowed)(&self.settings))
    }

    /// What its slider moves, and where that is.
    pub fn size(&self) -> Option<(&'static str, usize)> {
        let key = self.method.extras.size?.key;
        Some((key, self.settings.maybe_whole(key)?))
    }

    /// Whether a trained lane can be given another size as it stands.
    pub fn can_resize(&self) -> bool {
        self.method.extras.resize.is_some_and(|resize| (resize.allowed)(&self.settings))
    }

    /// The lane at another size, one for all layers.
    pub fn resized(&self, to: usize) -> Self {
        let mut lane = self.clone();
        let Some(size) = self.method.extras.size else { return lane };
        let multiple = (size.multiple_of)(&self.settings);
        lane.settings.set(size.key, if multiple > 1 { (to / multiple).max(1) * multiple } else { to });
        for setting in self.described() {
            if matches!(setting.kind, Kind::PerLayer(of, _) if of == size.key) {
                lane.settings.set(setting.key, Value::Unset);
            }
        }
        lane.with_bounds()
    }

    /// Whether a lane under way can become `to`, tuned or at another size.
    pub fn becomes(&self, to: &Self) -> bool {
        let size = to.size().filter(|_| self.can_resize());
        self.tunes_to(to) || size.is_some_and(|(_, size)| self.resized(size) == *to)
    }

    /// Whether a lane under way can become `other` without starting again.
    pub fn tunes_to(&self, other: &Self) -> bool {
        let mut tuned = self.clone();
        for setting in self.described().iter().filter(|setting| setting.live) {
            if let Some(value) = other.settings.get(setting.key) {
                tuned.settings.set(setting.key, value.clone());
            }
        }
        tuned == *other
    }

    /// The first setting that the others do not allow, on any of so many layers; `layers` of `usize::MAX` leaves sizes by
    /// layer as many as they are.
    pub fn broken_limit(&self, layers: usize) -> Option<Broken> {
        let described = self.described();
        let counted = |sizes: &[usize]| layers == usize::MAX || sizes.len() == layers;
        for setting in &described {
            if let Some(sizes) = self.settings.sizes(setting.key).filter(|sizes| !counted(sizes)) {
                let (value, allowed) =
                    (Value::Sizes(sizes.to_vec()), format!("one for each layer; the task has {layers}"));
                return Some(Broken { key: setting.key, value, allowed });
            }
            if let (Some(value), Some(bound)) =
                (self.settings.maybe_whole(setting.key), setting.at_most.and_then(|key| self.settings.maybe_whole(key)))
                && value > bound
            {
                let least = if let Kind::Whole(range) = setting.kind { range.min } else { 1 };
                let allowed = format!("a whole number from {least} to {bound}");
                return Some(Broken { key: setting.key, value: value.into(), allowed });
            }
        }
        let most_layers = described.iter().filter_map(|s| self.settings.sizes(s.key)).map(<[usize]>::len).max();
        (0..most_layers.unwrap_or(1)).find_map(|layer| self.broken_at(layer, &described))
    }

    fn broken_at(&self, layer: usize, described: &[&'static Setting]) -> Option<Broken> {
        let own = self.settings_at(layer);
        // Of two settings that are too large together, the one that the slider moves.
        let size = self.method.extras.size.map(|size| size.key);
        let (first, rest): (Vec<&Setting>, Vec<&Setting>) =
            described.iter().copied().partition(|setting| Some(setting.key) == size);
        for setting in first.into_iter().chain(rest) {
            let held = || own.get(setting.key).cloned().unwrap_or(Value::Unset);
            let broken = |allowed: String| Some(Broken { key: setting.key, value: held(), allowed });
            if let (Some(value), Some(most)) =
                (own.maybe_whole(setting.key), (self.method.extras.most)(&own, setting.key))
                && value > most.value
            {
                return broken(most.why);
            }
            if let (Kind::Divisor(of), Some(value)) = (setting.kind, own.maybe_whole(setting.key))
                && let Some(whole) = own.maybe_whole(of)
                && !whole.is_multiple_of(value)
            {
                return broken(format!("a divisor of {of}, which is {whole}"));
            }
            if let Some(allowed) = (self.method.extras.refuses)(&own, setting.key)
                && held() != setting.default
            {
                return broken(allowed.into());
            }
        }
        None
    }

    /// The method's title with what sets the lane apart from a plain one: "ternary LoRA", "MoR1E proto flex".
    pub fn title(&self) -> String {
        let mut title = format!("{}{}", said(self.method.title), (self.method.extras.mark)(&self.settings));
        // Marks before the title follow it in the list, so that "LoRA+ PiSSA" is "ternary LoRA+ PiSSA".
        for modifier in list::modifiers(self.method) {
            match (modifier.mark)(&self.settings) {
                Some(Mark::Before(mark)) => title.insert_str(0, mark),
                Some(Mark::After(mark)) => title.push_str(mark),
                None => {}
            }
        }
        title
    }

    /// The same with its sizes: "LoRA r8", "MoLoRA 4 × r2".
    pub fn sized_title(&self) -> String {
        let title = self.title();
        let by_layer = |of: &str| {
            let setting = self.described().into_iter().find(|s| matches!(s.kind, Kind::PerLayer(key, _) if key == of));
            match setting.and_then(|setting| self.settings.sizes(setting.key)) {
                Some(sizes) => Some(sizes.iter().map(usize::to_string).collect::<Vec<_>>().join("-")),
                None => self.settings.maybe_whole(of).map(|size| size.to_string()),
            }
        };
        match (by_layer("experts"), by_layer("rank")) {
            (Some(experts), Some(rank)) => format!("{title} {experts} × r{rank}"),
            (Some(experts), None) => format!("{title} {experts} × r1"),
            (None, Some(rank)) => format!("{title} r{rank}"),
            (None, None) => title,
        }
    }
}
