//! Whatever configuration is written, as a document or as a link, is read back the same; whatever is read
//! instead is refused without a panic.

use std::collections::BTreeSet;

use super::{
    BackendChoice, Config, DigitDomain, Digits, Domains, Form, Lane, Model, Named, Optimizer, Pattern, Projection,
    SavedModule, Schedule, Sensors, Spectrum, Task, Text, limits,
};
use crate::args::{Kind, Setting, Value};
use crate::method::METHODS;
use crate::task::text::languages;

/// A linear congruential generator (Knuth's MMIX constants): the test needs variety, not quality.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % bound
    }

    fn flag(&mut self) -> bool {
        self.below(2) == 0
    }

    fn real(&mut self) -> f64 {
        let digits = (1 + self.below(99_999)) as f64;
        digits / 10f64.powi(3 + self.below(5) as i32)
    }

    fn of<T: Named>(&mut self) -> T {
        T::ALL[self.below(T::ALL.len())]
    }

    /// A lane of any method, whose settings go together.
    fn lane(&mut self, task: &Task) -> Lane {
        let method = METHODS[self.below(METHODS.len())];
        let layers = task.layer_count().unwrap_or(1);
        loop {
            let lane = self.settings(method.into(), layers);
            let lane = if task.has_projections() { lane.causal() } else { lane };
            if lane.broken_limit(layers).is_none() {
                let own: Vec<usize> = (0..layers).filter(|_| self.flag()).collect();
                let targets: Vec<Projection> =
                    Projection::ALL.iter().copied().filter(|_| task.has_projections() && self.flag()).collect();
                return Lane {
                    layers: (!own.is_empty()).then_some(own),
                    targets: (!targets.is_empty()).then_some(targets),
                    modules_to_save: (SavedModule::ALL.iter().copied())
                        .filter(|_| task.has_projections() && self.flag())
                        .collect(),
                    lr: self.flag().then(|| self.real()),
                    begin: (task.has_projections() && self.flag()).then(|| "my-adapter_2".into()),
                    ..lane
                };
            }
        }
    }

    /// Some of its settings at other values than their defaults.
    fn settings(&mut self, mut lane: Lane, layers: usize) -> Lane {
        let described = lane.described();
        for setting in &described {
            if self.flag() {
                let value = self.value(setting, layers);
                lane.settings.set(setting.key, value);
            }
        }
        // What is to be divided is drawn anew as a multiple, or hardly any would be allowed.
        for setting in &described {
            let (Kind::Divisor(of), Some(divisor)) = (setting.kind, lane.settings.maybe_whole(setting.key)) else {
                continue;
            };
            lane.settings.set(of, divisor * (1 + self.below(8)));
            let own = described.iter().find(|other| matches!(other.kind, Kind::PerLayer(key, _) if key == of));
            let Some((key, sizes)) = own.and_then(|own| Some((own.key, lane.settings.sizes(own.key)?))) else {
                continue;
            };
            let multiples: Vec<usize> = sizes.iter().map(|size| divisor * size).collect();
            lane.settings.set(key, multiples);
        }
        lane
    }

    fn value(&mut self, setting: &Setting, layers: usize) -> Value {
        match setting.kind {
            Kind::Whole(limits::Whole { min, max }) => {
                // Small ones are the likelier to go together.
                let span = if self.flag() { (max - min).min(16) } else { max - min };
                (min + self.below(span + 1)).into()
            }
            Kind::Real(limits::Real { min, max, .. }) => self.real().clamp(min, max).into(),
            Kind::Flag => self.flag().into(),
            Kind::Choice(names) => names[self.below(names.len())].into(),
            Kind::Divisor(_) => (1 + self.below(8)).into(),
            Kind::PerLayer(..) => (0..layers).map(|_| 1 + self.below(8)).collect::<Vec<_>>().into(),
        }
    }

    fn config(&mut self) -> Config {
        let task = match self.below(5) {
            0 => Task::Domains(Domains {
                dim: 72 + self.below(185),
                depth: 1 + self.below(8),
                domains: 1 + self.below(8),
                true_rank: 1 + self.below(8),
                conflict: self.flag(),
                spectrum: self.of::<Spectrum>(),
                sequence: 1 + self.below(64),
                mixed: self.flag(),
                noise: if self.flag() { 0.0 } else { self.real() / 10.0 },
                batch: 1 + self.below(64),
            }),
            1 => {
                let mut domains = DigitDomain::ALL.to_vec();
                domains.rotate_left(self.below(5));
                domains.truncate(1 + self.below(5));
                Task::Digits(Digits { domains, batch: 1 + self.below(512), pretrain: self.below(3000) })
            }
            2 => {
                let mut patterns = Pattern::ALL.to_vec();
                patterns.rotate_left(self.below(6));
                patterns.truncate(1 + self.below(6));
                let (form, batch) = (self.of::<Form>(), 1 + self.below(512));
                Task::Sensors(Sensors { patterns, form, batch, pretrain: self.below(3000) })
            }
            3 => {
                let mut languages: Vec<String> = languages::NEW.iter().map(|&(code, _)| code.to_owned()).collect();
                languages.rotate_left(self.below(50));
                languages.truncate(1 + self.below(8));
                let (sequence, batch) = (2 + self.below(63), 1 + self.below(64));
                Task::Text(Text { model: Model::Small, languages, sequence, batch, cheat: self.flag() })
            }
            _ => Task::Custom,
        };
        let total = 1 + self.below(5000);
        Config {
            seed: self.below(u32::MAX as usize) as u32,
            backend: self.of::<BackendChoice>(),
            lanes: (0..1 + self.below(8)).map(|_| self.lane(&task)).collect(),
            task,
            optimizer: Optimizer {
                lr: self.real(),
                beta1: 1.0 - self.real() / 100.0,
                beta2: 0.999,
                eps: self.real() * 1e-9,
                weight_decay: self.real() / 10.0,
            },
            schedule: Schedule { warmup: self.below(total + 1), total },
        }
    }
}

#[test]
fn round_trips() {
    let mut draw = Draw(1);
    let mut queries = BTreeSet::new();
    let mut drawn = BTreeSet::new();
    for _ in 0..3000 {
        let config = draw.config();
        assert_eq!(Config::from_json(&config.to_json()).unwrap(), config);
        let query = config.to_query();
        assert_eq!(Config::from_query(&query).unwrap(), config, "{query}");
        for lane in &config.lanes {
            assert_eq!(Lane::from_text(&lane.to_text()).unwrap(), *lane);
            let others = lane.described().into_iter().filter(|s| lane.settings.get(s.key) != Some(&s.default));
            drawn.extend(others.map(|setting| (lane.method.name, setting.key)));
        }
        let safe = |c: char| c.is_ascii_alphanumeric() || "-._~=&".contains(c);
        assert!(query.chars().all(safe), "{query}");
        queries.insert(query);
    }
    assert!(queries.len() > 2990);
    for &method in METHODS {
        for setting in Lane::from(method).described() {
            assert!(drawn.contains(&(method.name, setting.key)), "{} {} was never drawn", method.name, setting.key);
        }
    }
}

/// Links and documents with bytes changed, cut or doubled are read or refused; nothing panics.
#[test]
fn damaged_input_never_panics() {
    let mut draw = Draw(2);
    let mut refused = 0;
    for _ in 0..3000 {
        let config = draw.config();
        let mut texts = [config.to_query().into_bytes(), config.to_json().into_bytes()];
        for text in &mut texts {
            for _ in 0..1 + draw.below(3) {
                let at = draw.below(text.len().max(1));
                match draw.below(3) {
                    0 if at < text.len() => text[at] = b"0-9.~&=%+e\"{}[],:l"[draw.below(18)],
                    1 => text.truncate(at),
                    _ => text.extend_from_within(at.min(text.len())..),
                }
            }
        }
        let [query, json] = texts.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        refused += usize::from(Config::from_query(&query).is_err());
        refused += usize::from(Config::from_json(&json).is_err());
    }
    assert!(refused > 3000);
}
