//! What is meant by everything left out. Plain values; knows nothing of how they are written.

use super::{
    BackendChoice, Balance, BalanceKind, Config, DigitDomain, Digits, Domains, Form, Gate, Init, Lane, Method,
    Optimizer, Options, Schedule, Spectrum, Task, Weights,
};

impl Default for Config {
    /// What the page opens with: four lanes on four conflicting domains.
    fn default() -> Self {
        Self {
            seed: 1,
            backend: BackendChoice::Auto,
            task: Task::Domains(Domains::default()),
            lanes: [Method::Full, Method::lora(), Method::molora(), Method::mor1e()]
                .into_iter()
                .map(Lane::from)
                .collect(),
            optimizer: Optimizer::default(),
            schedule: Schedule::default(),
        }
    }
}

impl Default for Domains {
    fn default() -> Self {
        Self {
            dim: 64,
            depth: 1,
            domains: 4,
            true_rank: 2,
            conflict: true,
            spectrum: Spectrum::Flat,
            sequence: 8,
            mixed: false,
            noise: 0.0,
            batch: 32,
        }
    }
}

impl Default for Digits {
    fn default() -> Self {
        Self {
            domains: vec![DigitDomain::Inverted, DigitDomain::Rotated, DigitDomain::Mirrored, DigitDomain::Shifted],
            batch: 64,
            pretrain: 1500,
        }
    }
}

impl Default for Optimizer {
    fn default() -> Self {
        Self { lr: 0.01, beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.0 }
    }
}

impl Default for Schedule {
    fn default() -> Self {
        Self { warmup: 50, total: 2000 }
    }
}

impl Default for Balance {
    fn default() -> Self {
        Self { kind: BalanceKind::None, coefficient: 0.0 }
    }
}

impl From<Method> for Lane {
    /// The method on every layer.
    fn from(method: Method) -> Self {
        Self { method, layers: None, options: Options::default() }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            init: Init::Kaiming,
            lr_ratio: 1.0,
            weights: Weights::Float,
            temperature: 1.0,
            noise: 0.0,
            orthogonality: 0.0,
            target_rank: None,
            budget_begin: 100,
            budget_end: 600,
            experts_per_layer: None,
            rank_per_layer: None,
        }
    }
}

impl Method {
    /// Another form of low-rank change with its defaults: rank 8, alpha 16 (MoRA: none, which is 1).
    pub fn variant(form: Form) -> Self {
        Self::Variant { form, rank: 8, alpha: if form == Form::Mora { 1.0 } else { 16.0 } }
    }

    /// LoRA with its defaults: rank 8, alpha 16.
    pub fn lora() -> Self {
        Self::Lora { rank: 8, alpha: 16.0, rslora: false }
    }

    /// MoLoRA with its defaults: four experts of rank 2, soft routing.
    pub fn molora() -> Self {
        Self::Molora { experts: 4, rank: 2, alpha: 4.0, top_k: 0, renormalize: false, balance: Balance::default() }
    }

    /// MoR1E with its defaults: eight experts of rank 1 under a pooled gate.
    pub fn mor1e() -> Self {
        Self::Mor1e {
            experts: 8,
            alpha: 2.0,
            gate: Gate::Pooled,
            hidden: None,
            balance: Balance::default(),
            flex: None,
        }
    }
}
