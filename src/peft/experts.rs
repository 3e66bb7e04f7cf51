//! Experts whose factors lie in one pair of tensors (PEFT's `target_parameters`): A holds one expert's rows after another's, B
//! the experts of one direction side by side, and which parameter is meant only the base's shapes say. Each expert becomes a
//! module of its own. Knows nothing of values.

use super::find::parameters;
use super::keys::Part;
use super::module::{Kind, Module, Slice, is_too_large};
use crate::files::{Checkpoint, Source, TensorInfo};
use crate::lang::tr;
use crate::order::Few;

/// Most experts that a layer has here.
const MOST: usize = 4096;

/// One pair of tensors.
#[derive(Clone, Debug)]
pub struct Pair {
    /// In front of how many others it was wrapped around the layer.
    pub depth: usize,
    pub a: TensorInfo,
    pub b: TensorInfo,
}

/// A layer with its pairs.
#[derive(Clone, Debug)]
pub struct Packed {
    pub name: String,
    pub pairs: Vec<Pair>,
    /// What keeps its experts from being told apart; `None` once they are.
    pub why: Option<String>,
}

/// Layer and depth of a module's name, where that is how experts are named.
pub fn layer(name: &str, targets: &[String]) -> Option<(String, usize)> {
    let mut rest = name;
    let mut depth = 0;
    while let Some(shorter) = rest.strip_suffix(".base_layer") {
        (rest, depth) = (shorter, depth + 1);
    }
    let last = rest.rsplit('.').next().unwrap_or(rest);
    let packed = depth > 0 || last == "experts" || targeted(rest, targets).next().is_some();
    packed.then(|| (rest.to_owned(), depth))
}

/// Parameters of a layer that a configuration targets; a layer's own weight is adapted as any other's.
fn targeted<'a>(layer: &'a str, targets: &'a [String]) -> impl Iterator<Item = &'a str> {
    targets.iter().filter_map(move |target| {
        let (of, parameter) = target.rsplit_once('.').unwrap_or(("", target));
        let before = layer.strip_suffix(of)?;
        let here = of.is_empty() || before.is_empty() || before.ends_with('.');
        (here && parameter != "weight").then_some(parameter)
    })
}

/// How a pair fits a parameter: experts, rank, and whether that is stored `[inputs, outputs]`; `None` twice where both ways do.
#[derive(Clone, Copy)]
struct Fit {
    experts: usize,
    rank: usize,
    transposed: Option<bool>,
}

fn fit(pair: &Pair, parameter: &TensorInfo, rank: Option<usize>) -> Option<Fit> {
    let &[experts, rows, columns] = parameter.shape.as_slice() else { return None };
    let ((all, inputs), (outputs, across)) = (pair.a.matrix(), pair.b.matrix());
    if experts == 0 || experts > MOST || all != across || all % experts != 0 {
        return None;
    }
    let transposed = match ((inputs, outputs) == (rows, columns), (outputs, inputs) == (rows, columns)) {
        (true, true) => None,
        (true, false) => Some(true),
        (false, true) => Some(false),
        (false, false) => return None,
    };
    let own = all / experts;
    rank.is_none_or(|rank| rank == own).then_some(Fit { experts, rank: own, transposed })
}

/// A parameter of the layer for each pair, every one once.
fn assigned(fits: &[Vec<Option<Fit>>], taken: &mut Vec<usize>, found: &mut Vec<Vec<usize>>) {
    let at = taken.len();
    if at == fits.len() {
        found.push(taken.clone());
        return;
    }
    for (parameter, fit) in fits[at].iter().enumerate() {
        if fit.is_some() && !taken.contains(&parameter) && found.len() < 2 {
            taken.push(parameter);
            assigned(fits, taken, found);
            taken.pop();
        }
    }
}

impl Packed {
    /// Its experts as modules of scaling 1, or why they cannot be told apart. `rank` is what the configuration says.
    pub fn modules<B: Source>(
        &self,
        base: &Checkpoint<B>,
        rank: Option<usize>,
        targets: &[String],
    ) -> Result<Vec<Module>, String> {
        let wanted: Vec<&str> = targeted(&self.name, targets).collect();
        let mut there = parameters(base, &self.name);
        if !wanted.is_empty() {
            there.retain(|info| wanted.contains(&info.name.rsplit('.').next().unwrap_or(&info.name)));
        }
        if there.is_empty() {
            return Err(tr!("the base that is open has no parameters of experts of that name"));
        }
        if there.len() > 16 || self.pairs.len() > 16 {
            return Err(tr!("it has more parameters than any layer of experts"));
        }
        let fits: Vec<Vec<Option<Fit>>> =
            self.pairs.iter().map(|pair| there.iter().map(|info| fit(pair, info, rank)).collect()).collect();
        let mut ways = Vec::new();
        assigned(&fits, &mut Vec::new(), &mut ways);
        let way = match ways.as_slice() {
            [one] => one,
            [] => return Err(tr!("its shapes fit no parameters of the base's; the adapter is for another base")),
            _ => return Err(tr!("its shapes fit the base's parameters in more than one way")),
        };
        let chosen: Vec<Fit> = way.iter().zip(&fits).filter_map(|(&at, fits)| fits[at]).collect();
        // A layer keeps all its parameters the same way round, so that one that is not square says it for all.
        let mut ways = chosen.iter().filter_map(|fit| fit.transposed);
        let Some(transposed) = ways.next() else {
            return Err(tr!("its parameters are square, and which way round they are is not in the files"));
        };
        if ways.any(|other| other != transposed) {
            return Err(tr!("its shapes fit the base's parameters in more than one way"));
        }
        let mut out = Vec::new();
        for ((pair, &at), fit) in self.pairs.iter().zip(way).zip(&chosen) {
            let parameter = there[at].name.rsplit('.').next().unwrap_or_default();
            for expert in 0..fit.experts {
                out.push(self.expert(pair, parameter, *fit, transposed, expert)?);
            }
        }
        Ok(out)
    }

    fn expert(
        &self,
        pair: &Pair,
        parameter: &str,
        fit: Fit,
        transposed: bool,
        expert: usize,
    ) -> Result<Module, String> {
        let (inputs, outputs) = (pair.a.matrix().1, pair.b.matrix().0);
        if is_too_large([fit.rank, inputs, outputs]) {
            return Err(tr!("{outputs} outputs and {inputs} inputs are more than any model's", outputs, inputs));
        }
        let mut keys = Few::new();
        keys.insert(Part::A, pair.a.name.clone());
        keys.insert(Part::B, pair.b.name.clone());
        Ok(Module {
            name: format!("{}.{parameter}.{expert}", self.name),
            kind: Kind::Linear,
            rank: fit.rank,
            inputs,
            outputs,
            scaling: 1.0,
            dtype: pair.a.dtype,
            transposed,
            a_shape: vec![fit.rank, inputs],
            b_shape: vec![outputs, fit.rank],
            keys,
            described: None,
            parameters: fit.rank * (inputs + outputs),
            magnitudes: None,
            slice: Some(Slice { expert, of: fit.experts }),
        })
    }
}
