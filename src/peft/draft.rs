//! An adapter about to be written: what it will hold is known first, its factors are made one module at a time, so that
//! nothing larger than a module is ever in memory. Knows nothing of why it is as it is, nor of configurations.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::adapter::Adapter;
use super::change::Change;
use super::keys::{Held, PREFIX, Part, Style};
use super::module::{Factors, Kind, Module, Whole};
use crate::error::{Error, Result};
use crate::files::write::{Planned, Writer};
use crate::files::{Dtype, Sink, Source, blocks};
use crate::lang::tr;
use crate::spectrum::Svd;

/// How a module's factors come from those of one or more adapters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum How {
    /// The factors as they are, of one adapter.
    Keep,
    /// Factors of the same rank added, √weight in each (PEFT's "linear"): not the sum of the changes.
    Linear,
    /// Factors side by side (PEFT's "cat"): exactly the sum.
    Cat,
    /// The sum's best approximation of the module's rank.
    Svd,
}

/// One module to be written.
#[derive(Debug)]
pub struct DraftModule<'a, S> {
    pub name: String,
    pub rank: usize,
    pub scaling: f64,
    /// B is multiplied by this where factors are kept: what the scaling cannot say, as nothing stores it.
    pub times: f64,
    pub dtype: Dtype,
    pub how: How,
    /// Where it comes from, each times a weight.
    pub parts: Vec<(&'a Adapter<S>, &'a Module, f64)>,
}

/// Where a draft's scalings are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scalings {
    /// In `adapter_config.json`.
    Config,
    /// In a number beside each module.
    Alphas,
    /// In the header, as diffusers stores them.
    Header,
    /// Nowhere: they are 1.
    Nowhere,
}

impl<S: Source> Adapter<S> {
    /// Where its scalings are stored.
    pub fn scalings(&self) -> Scalings {
        let alphas = || self.modules.iter().any(|m| m.has(Part::Alpha) || m.scaling != 1.0 || !m.name.contains('.'));
        match self.style {
            Style::Peft => Scalings::Config,
            _ if !self.settings.parts.is_empty() && !self.modules.iter().any(|m| m.has(Part::Alpha)) => {
                Scalings::Header
            }
            _ if alphas() => Scalings::Alphas,
            _ => Scalings::Nowhere,
        }
    }
}

/// An adapter about to be written.
#[derive(Debug)]
pub struct Draft<'a, S> {
    pub scalings: Scalings,
    pub modules: Vec<DraftModule<'a, S>>,
    /// Each times a number, which is 1 for what takes a weight's place.
    pub whole: Vec<(&'a Adapter<S>, &'a Whole, Dtype, f64)>,
    /// Tensors that are copied as they are.
    pub copies: Vec<(&'a Adapter<S>, &'a str, Dtype)>,
    /// The header's texts.
    pub metadata: BTreeMap<String, String>,
    /// What the adapters hold and the draft does not.
    pub left_out: Vec<String>,
    /// Keys of `adapter_config.json` that are kept.
    pub raw: Map<String, Value>,
    /// Every module that was targeted is still there.
    pub same_targets: bool,
}

impl<S: Source> DraftModule<'_, S> {
    /// The module that all parts are alike.
    pub(super) fn like(&self) -> &Module {
        self.parts[0].1
    }

    /// The factors to be written, and how far their change is from the parts' weighted sum, as a share of its norm.
    ///
    /// # Errors
    /// `Error::File` where a tensor cannot be read; `Error::Data` where values that are not finite would have to be
    /// decomposed.
    pub async fn factors(&self) -> Result<(Factors, f64)> {
        let mut read = Vec::new();
        for &(adapter, module, weight) in &self.parts {
            read.push((adapter.factors(module).await?, module, weight * module.scaling));
        }
        let bias = self.bias(&read);
        let magnitude = read[0].0.magnitude.clone();
        let (a, b, error) = match self.how {
            How::Keep => {
                let mut factors = read.swap_remove(0).0;
                if self.times != 1.0 {
                    factors.b.iter_mut().for_each(|v| *v = (f64::from(*v) * self.times) as f32);
                }
                (factors.a, factors.b, 0.0)
            }
            How::Linear => {
                let (a, b) = self.added(&read);
                let error = self.distance((&a, &b), self.side_by_side(&read));
                (a, b, error)
            }
            How::Cat => {
                let (a, b) = self.side_by_side(&read);
                (a, b, 0.0)
            }
            How::Svd => {
                let (a, b) = self.side_by_side(&read);
                let rank = a.len() / self.like().inputs.max(1);
                self.truncated(&Change::new(rank, (&a, self.like().inputs), (&b, self.like().outputs), 1.0, false))?
            }
        };
        Ok((Factors { a, b, bias, magnitude }, error))
    }

    /// Biases are added whatever becomes of the factors; each counts times its scaling.
    fn bias(&self, read: &[(Factors, &Module, f64)]) -> Option<Vec<f32>> {
        let mut sum: Option<Vec<f64>> = None;
        for (factors, _, scale) in read {
            if let Some(bias) = &factors.bias {
                let sum = sum.get_or_insert_with(|| vec![0.0; bias.len()]);
                sum.iter_mut().zip(bias).for_each(|(s, &b)| *s += scale * f64::from(b));
            }
        }
        let scaling = if self.scaling == 0.0 { 1.0 } else { self.scaling };
        sum.map(|sum| sum.into_iter().map(|v| (v / scaling) as f32).collect())
    }

    fn added(&self, read: &[(Factors, &Module, f64)]) -> (Vec<f32>, Vec<f32>) {
        let sum = |of: fn(&Factors) -> &[f32], weight: &dyn Fn(f64) -> f64| -> Vec<f32> {
            let mut out = vec![0.0; of(&read[0].0).len()];
            for (factors, _, scale) in read {
                let weight = weight(*scale);
                out.iter_mut().zip(of(factors)).for_each(|(o, &v)| *o += weight * f64::from(v));
            }
            out.into_iter().map(|v| v as f32).collect()
        };
        let root = |scale: f64| libm::sqrt(scale.abs());
        // The sign of a weight goes on one side, or it would cancel.
        (sum(|f| &f.a, &|scale| root(scale) * if scale < 0.0 { -1.0 } else { 1.0 }), sum(|f| &f.b, &root))
    }

    /// `[Σ rank, inputs]` with the scales in it, `[outputs, Σ rank]`; over the draft's own scaling.
    fn side_by_side(&self, read: &[(Factors, &Module, f64)]) -> (Vec<f32>, Vec<f32>) {
        let own = if self.scaling == 0.0 { 1.0 } else { self.scaling };
        let scaled = |(factors, _, scale): &(Factors, &Module, f64)| -> Vec<f32> {
            factors.a.iter().map(|&v| (f64::from(v) * scale / own) as f32).collect()
        };
        let a = read.iter().flat_map(scaled).collect();
        let mut b = Vec::new();
        for output in 0..self.like().outputs {
            for (factors, module, _) in read {
                b.extend_from_slice(&factors.b[output * module.rank..(output + 1) * module.rank]);
            }
        }
        (a, b)
    }

    /// ‖made − sum‖ / ‖sum‖.
    fn distance(&self, (a, b): (&[f32], &[f32]), (sum_a, sum_b): (Vec<f32>, Vec<f32>)) -> f64 {
        let (inputs, outputs) = (self.like().inputs, self.like().outputs);
        let change = |a: &[f32], b: &[f32]| Change::new(a.len() / inputs.max(1), (a, inputs), (b, outputs), 1.0, false);
        let (made, sum) = (change(a, b), change(&sum_a, &sum_b));
        let (made_square, sum_square) = (made.dot(&made), sum.dot(&sum));
        let square = (made_square - 2.0 * made.dot(&sum) + sum_square).max(0.0);
        if sum_square > 0.0 { libm::sqrt(square / sum_square) } else { 0.0 }
    }

    /// The leading directions, each singular value shared evenly by both factors, so that neither is small enough to
    /// suffer from storage in half precision.
    fn truncated(&self, change: &Change) -> Result<(Vec<f32>, Vec<f32>, f64)> {
        let Svd { u, singular, v } = change.svd().ok_or_else(|| Error::Data {
            what: self.name.clone(),
            expected: tr!("finite values, to be decomposed"),
            got: tr!("NaN or infinity"),
        })?;
        let root = |r: usize| libm::sqrt(singular.get(r).copied().unwrap_or(0.0));
        let kept = singular.len().min(self.rank);
        let entry = |of: &nalgebra::DMatrix<f64>, i: usize, r: usize| {
            if r < kept { (of[(i, r)] * root(r)) as f32 } else { 0.0 }
        };
        let (inputs, outputs, rank) = (self.like().inputs, self.like().outputs, self.rank);
        let a = (0..rank * inputs).map(|at| entry(&v, at % inputs, at / inputs)).collect();
        let b = (0..outputs * rank).map(|at| entry(&u, at / rank, at % rank)).collect();
        Ok((a, b, truncation(&singular)[kept]))
    }

    /// Names as the file had them; PEFT's as PEFT itself writes them, without what wrapped its modules.
    fn planned(&self, scalings: Scalings) -> Vec<Planned> {
        let module = self.like();
        let [a, b] = module.factor_keys();
        let own = scalings != Scalings::Config;
        let prefix = if a.is_none_or(|key| key.starts_with(PREFIX) || module.has(Part::TurnedA)) { PREFIX } else { "" };
        let named = |key: Option<&String>, ending: &str| match key.filter(|_| own) {
            Some(key) => key.clone(),
            None => format!("{prefix}{}{ending}", self.name),
        };
        let (a_ending, b_ending) = match module.kind {
            Kind::Embedding => (".lora_embedding_A", ".lora_embedding_B"),
            _ => (".lora_A.weight", ".lora_B.weight"),
        };
        let (mut a_shape, mut b_shape) = (module.a_shape.clone(), module.b_shape.clone());
        (a_shape[0], b_shape[1]) = (self.rank, self.rank);
        let planned = |name: String, shape: Vec<usize>| Planned { name, dtype: self.dtype, shape };
        let mut out = vec![planned(named(a, a_ending), a_shape), planned(named(b, b_ending), b_shape)];
        if self.has_bias() {
            let key = module.keys.get(&Part::Bias);
            out.push(planned(named(key, ".lora_B.bias"), vec![module.outputs]));
        }
        for part in [Part::Magnitude, Part::DoraScale] {
            if let Some(key) = module.keys.get(&part) {
                let shape = self.parts[0].0.file.find(key).map_or_else(Vec::new, |info| info.shape.clone());
                let kept = part == Part::DoraScale;
                let name = if kept { key.clone() } else { named(Some(key), ".lora_magnitude_vector") };
                out.push(planned(name, shape));
            }
        }
        if scalings == Scalings::Alphas {
            let stem = a.map_or(&*self.name, |a| a.find(".lora").map_or(&*self.name, |at| &a[..at]));
            let name = module.keys.get(&Part::Alpha).cloned().unwrap_or_else(|| format!("{stem}.alpha"));
            out.push(Planned { name, dtype: Dtype::F32, shape: Vec::new() });
        }
        if let Some(key) = module.keys.get(&Part::StoredBase) {
            let (rows, columns) = module.shape();
            out.push(planned(named(Some(key), ".base_layer.weight"), vec![rows, columns]));
        }
        out
    }

    pub(super) fn has_bias(&self) -> bool {
        self.parts.iter().any(|(_, module, _)| module.has(Part::Bias))
    }
}

/// What each rank would leave out: √(Σ_{i≥r} σᵢ² / Σ σᵢ²) for r = 0 … all.
pub fn truncation(singular: &[f64]) -> Vec<f64> {
    let total: f64 = singular.iter().map(|v| v * v).sum();
    let mut out = vec![0.0; singular.len() + 1];
    let mut tail = 0.0;
    for (r, value) in singular.iter().enumerate().rev() {
        tail += value * value;
        out[r] = if total > 0.0 { libm::sqrt(tail / total) } else { 0.0 };
    }
    out
}

impl<S: Source> Draft<'_, S> {
    /// Write the tensors; `progress` hears of each module that is done and answers whether to go on. Returns for each
    /// module how far it is from the parts' weighted sum, as a share of its norm.
    ///
    /// # Errors
    /// Those of reading, decomposing and the sink; `Error::Data` where `progress` said to stop.
    pub async fn write<K: Sink>(&self, sink: &mut K, progress: &mut dyn FnMut(usize) -> bool) -> Result<Vec<f64>> {
        let whole = |&(_, whole, dtype, _): &(_, &Whole, Dtype, f64)| Planned {
            name: if self.scalings == Scalings::Config { normal(whole) } else { whole.key.clone() },
            dtype,
            shape: whole.shape.clone(),
        };
        let copied = |&(adapter, key, dtype): &(&Adapter<S>, &str, Dtype)| Planned {
            name: key.to_owned(),
            dtype,
            shape: adapter.file.find(key).map_or_else(Vec::new, |info| info.shape.clone()),
        };
        let mut plan: Vec<Planned> = self.modules.iter().flat_map(|m| m.planned(self.scalings)).collect();
        plan.extend(self.whole.iter().map(whole));
        plan.extend(self.copies.iter().map(copied));
        let mut writer = Writer::begin(sink, &plan, &self.metadata).await?;
        let mut errors = Vec::new();
        for (at, module) in self.modules.iter().enumerate() {
            let (factors, error) = module.factors().await?;
            errors.push(error);
            let alpha = [(module.scaling * module.rank as f64) as f32];
            let extras = [factors.bias, factors.magnitude].into_iter().flatten();
            let all: Vec<Vec<f32>> = [factors.a, factors.b].into_iter().chain(extras).collect();
            let alpha = (self.scalings == Scalings::Alphas).then_some((Dtype::F32, &alpha[..]));
            for (dtype, values) in all.iter().map(|values| (module.dtype, values.as_slice())).chain(alpha) {
                writer.values(dtype, values).await?;
            }
            let (adapter, like, _) = module.parts[0];
            if let Some(key) = like.keys.get(&Part::StoredBase) {
                copy(adapter, key, module.dtype, 1.0, &mut writer).await?;
            }
            if !progress(at) {
                return Err(stopped());
            }
        }
        let whole = self.whole.iter().map(|&(adapter, whole, dtype, times)| (adapter, &*whole.key, dtype, times));
        let copies = self.copies.iter().map(|&(adapter, key, dtype)| (adapter, key, dtype, 1.0));
        for (adapter, key, dtype, times) in whole.chain(copies) {
            copy(adapter, key, dtype, times, &mut writer).await?;
        }
        writer.end().map(|()| errors)
    }
}

/// A whole weight's name as PEFT writes it, without the adapter's own name.
fn normal(whole: &Whole) -> String {
    match whole.held {
        Held::Replaces => format!("{PREFIX}{}", whole.name),
        _ => whole.key.clone(),
    }
}

/// What a caller's wish to stop becomes.
pub fn stopped() -> Error {
    Error::Data { what: "writing".into(), expected: "to finish".into(), got: "a request to stop".into() }
}

/// A tensor of the adapter, row block by row block.
async fn copy<S: Source, K: Sink>(
    adapter: &Adapter<S>,
    key: &str,
    dtype: Dtype,
    times: f64,
    writer: &mut Writer<'_, K>,
) -> Result<()> {
    let (rows, width) = adapter.file.find(key).map_or((0, 0), |info| info.matrix());
    for rows in blocks(0..rows, width) {
        let mut values = adapter.file.read_rows(key, rows).await?;
        if times != 1.0 {
            values.iter_mut().for_each(|v| *v = (f64::from(*v) * times) as f32);
        }
        writer.values(dtype, &values).await?;
    }
    Ok(())
}
