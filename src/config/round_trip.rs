//! Whatever configuration is written, as a document or as a link, is read back the same; whatever is read
//! instead is refused without a panic.

use super::{
    BackendChoice, Balance, Config, DigitDomain, Digits, Domains, Form, Gate, Init, Lane, Method, Named, Optimizer,
    Options, Schedule, Spectrum, Task, Weights,
};

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

    fn balance(&mut self) -> Balance {
        match self.flag() {
            true => Balance::default(),
            false => Balance { kind: self.of(), coefficient: self.real() },
        }
    }

    fn lane(&mut self, layers: usize) -> Lane {
        let method = match self.below(5) {
            4 => match self.of::<Form>() {
                Form::Mora => Method::Variant { form: Form::Mora, rank: 1 + self.below(512), alpha: 1.0 },
                form => Method::Variant { form, rank: 1 + self.below(512), alpha: self.real().max(0.001) },
            },
            0 => Method::Full,
            1 => Method::Lora { rank: 1 + self.below(512), alpha: self.real().max(0.001), rslora: self.flag() },
            2 => {
                let experts = 1 + self.below(16);
                Method::Molora {
                    experts,
                    rank: 1 + self.below(32),
                    alpha: 4.0,
                    top_k: self.below(experts + 1),
                    renormalize: self.flag(),
                    balance: self.balance(),
                }
            }
            _ => {
                let gate = self.of::<Gate>();
                let network = gate != Gate::Prototype;
                let flex = self.flag().then(|| 1 + self.below(8));
                Method::Mor1e {
                    experts: flex.map_or(1 + self.below(64), |p| p * (1 + self.below(8))),
                    alpha: self.real().max(0.001),
                    gate,
                    hidden: (network && self.flag()).then(|| 2 + self.below(511)),
                    balance: if network { self.balance() } else { Balance::default() },
                    flex,
                }
            }
        };
        let all: Vec<usize> = (0..layers).filter(|_| self.flag()).collect();
        let options = self.options(&method, layers);
        Lane { method, layers: (!all.is_empty()).then_some(all), options }
    }

    /// Those that the method has, some of them.
    fn options(&mut self, method: &Method, layers: usize) -> Options {
        let mut options = Options::default();
        let ranked = matches!(method, Method::Lora { .. } | Method::Molora { .. });
        if ranked && self.flag() {
            options.lr_ratio = self.real().max(0.01);
            options.weights = self.of::<Weights>();
            options.rank_per_layer = self.flag().then(|| (0..layers).map(|_| 1 + self.below(8)).collect());
        }
        match method {
            Method::Lora { .. } => options.init = self.of::<Init>(),
            Method::Molora { .. } if self.flag() => {
                options.temperature = self.real().max(0.01);
                options.noise = self.real() / 10.0;
            }
            Method::Mor1e { .. } if self.flag() => options.orthogonality = self.real(),
            &Method::Variant { form: Form::Adalora, rank, .. } => {
                options.target_rank = self.flag().then(|| 1 + self.below(rank));
                options.budget_begin = self.below(600);
                options.budget_end = 601 + self.below(600);
            }
            _ => {}
        }
        if matches!(method, Method::Molora { .. } | Method::Mor1e { .. }) && self.flag() {
            let p = if let Method::Mor1e { flex: Some(p), .. } = method { *p } else { 1 };
            options.experts_per_layer = Some((0..layers).map(|_| p * (1 + self.below(8))).collect());
        }
        options
    }

    fn config(&mut self) -> Config {
        let task = match self.below(3) {
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
            _ => Task::Custom,
        };
        let total = 1 + self.below(5000);
        let layers = task.layer_count();
        Config {
            seed: self.below(u32::MAX as usize) as u32,
            backend: self.of::<BackendChoice>(),
            task,
            lanes: (0..1 + self.below(8)).map(|_| self.lane(layers)).collect(),
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
    let mut queries = std::collections::BTreeSet::new();
    for _ in 0..3000 {
        let config = draw.config();
        assert_eq!(Config::from_json(&config.to_json()).unwrap(), config);
        let query = config.to_query();
        assert_eq!(Config::from_query(&query).unwrap(), config, "{query}");
        for lane in &config.lanes {
            assert_eq!(Lane::from_text(&lane.to_text()).unwrap(), *lane);
        }
        let safe = |c: char| c.is_ascii_alphanumeric() || "-._~=&".contains(c);
        assert!(query.chars().all(safe), "{query}");
        queries.insert(query);
    }
    assert!(queries.len() > 2990);
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
