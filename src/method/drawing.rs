//! What a lane adds to one layer, as parts in the order in which a token meets them: for a drawing of it, for the numbers in
//! the drawing and for the sentence below it. All of it follows from the method's description; which method it is nobody asks.
//! Knows nothing of pixels.

use super::description::{Axis, Change, Parameter, Product, Reads, Start, Widths};
use super::lane::Lane;
use crate::lang::tr;

/// A layer as a lane has it: `y = W0 x + s ·` what leaves the last part.
#[derive(Clone, Debug)]
pub struct Drawing {
    pub widths: Widths,
    pub parts: Vec<Part>,
    /// The matrices that make the gates, in order, and what they read.
    pub gate: Vec<Part>,
    pub reads: Option<Reads>,
    /// What every output is multiplied by behind the sum, where the weight is formed anew: this over its row's length.
    pub behind: Option<Part>,
    pub scaling: f64,
    /// What the factors began with was taken out of the frozen weight.
    pub from_weight: bool,
}

#[derive(Clone, Debug)]
pub struct Part {
    pub role: Role,
    pub symbol: &'static str,
    /// Its tensor; "" for what holds no numbers of its own.
    pub name: &'static str,
    /// Of one branch; of gates, those that read and those that write.
    pub rows: usize,
    pub cols: usize,
    /// Experts' own matrices, each with its part of the input or of the output.
    pub branches: usize,
    pub trained: bool,
    pub from_zero: bool,
}

#[derive(Clone, Copy, Debug)]
pub enum Role {
    /// A matrix; branches share its input, and each makes its own part of the output.
    Reads,
    /// A matrix; every branch has its own part of the input, and their outputs are added.
    Writes,
    /// A number for each entry.
    Scales,
    /// A number for each branch; of shared vectors, for each pair of one that reads and one that writes.
    Gates { shared: bool },
    /// A rule without numbers, to so many entries.
    Fixed(fn(&[f64], usize) -> Vec<f64>),
}

impl Drawing {
    /// On a layer of that number and width.
    pub fn new(lane: &Lane, layer: usize, widths: Widths) -> Self {
        let (method, settings) = (lane.method, lane.settings_at(layer));
        let declared = (method.parameters)(&settings, widths);
        let (product, dense) = match (method.change)(&settings, widths) {
            Change::Product(product) => (Some(product), None),
            Change::Dense(name) => (None, Some(name)),
        };
        let gated = product.filter(|product| product.gated);
        let is_adapter = |p: &&Parameter| gated.is_none_or(|own| p.name == own.a || p.name == own.b);
        let (own, gate): (Vec<&Parameter>, Vec<&Parameter>) = declared.iter().partition(is_adapter);
        let side = own.iter().map(|p| p.axes[0].len(widths)).max().unwrap_or(0);
        let fold = |which: usize, rows| {
            method.extras.folds.map(|folds| Part {
                role: Role::Fixed(folds[which].1),
                symbol: folds[which].0,
                rows,
                ..Part::EMPTY
            })
        };
        let gates = |Product { experts, readers, .. }: Product| Part {
            role: Role::Gates { shared: readers.is_some() },
            rows: readers.unwrap_or(experts),
            cols: readers.map_or(1, |read| experts / read),
            ..Part::EMPTY
        };
        let mut parts: Vec<Part> = fold(0, side).into_iter().collect();
        for at in 0..=BEHIND {
            parts.extend(own.iter().filter(|p| place(&p.axes) == at).map(|p| part(p, widths, gated)));
            parts.extend(gated.filter(|_| at == 2).map(gates));
        }
        parts.extend(fold(1, widths.outputs));
        // A weight that no parameter holds is formed anew from all of them, and what is for outputs alone comes last.
        let is_formed = dense.is_some_and(|name| declared.iter().all(|p| p.name != name));
        let behind = if is_formed { parts.pop_if(|part| !part.is_matrix()) } else { None };
        Self {
            widths,
            parts,
            gate: gate.iter().filter(|p| p.axes.len() > 1).map(|p| part(p, widths, None)).collect(),
            reads: gated.map(|_| (method.extras.reads)(&settings)),
            behind,
            scaling: (method.scaling)(&settings),
            from_weight: product.is_some_and(|product| product.from_weight),
        }
    }

    /// Entries at the waist, where the way is narrowest before its last part writes all outputs.
    fn waist(&self) -> usize {
        let inner = self.parts.iter().filter(|part| part.is_matrix() && !matches!(part.role, Role::Writes));
        inner.map(|part| part.rows * part.readers()).min().unwrap_or(self.widths.outputs)
    }

    /// What happens to x, in a sentence or two.
    pub fn sentence(&self) -> String {
        let named = |part: &Part| {
            let frozen = if part.trained || part.name.is_empty() { String::new() } else { tr!(", frozen") };
            let size = match part.role {
                Role::Fixed(_) => return part.symbol.to_string(),
                Role::Scales => part.rows.to_string(),
                _ => format!("{} × {}", part.rows, part.cols),
            };
            format!("{} ({size}{frozen})", part.symbol)
        };
        let gates = self.parts.iter().find(|part| matches!(part.role, Role::Gates { .. }));
        let way: Vec<String> =
            self.parts.iter().filter(|part| !matches!(part.role, Role::Gates { .. })).map(named).collect();
        let way = way.join(&tr!(", then "));
        let frozen = if self.from_weight { tr!("what is left of W0") } else { tr!("the frozen W0") };
        let mut said = tr!("x goes through {frozen} and through {way}", frozen, way);
        match gates {
            Some(Part { rows, cols, role: Role::Gates { shared: true }, .. }) => {
                said.push_str(&tr!(
                    ": {rows} that read and {cols} that write, joined by {} gates.",
                    rows * cols,
                    rows,
                    cols
                ));
            }
            Some(part) => said.push_str(&tr!(", {} times, each weighed by its gate.", part.rows)),
            None if self.parts.len() == 1 => said.push('.'),
            None => said.push_str(&tr!(": {} numbers are kept in between.", self.waist())),
        }
        if let Some(reads) = self.reads {
            let read = match reads {
                Reads::Token => tr!("x alone"),
                Reads::Sequence => tr!("the mean of x's whole sequence"),
                Reads::SoFar => tr!("the mean of the tokens so far"),
            };
            said.push_str(&tr!(" The gate reads {read}.", read));
        }
        if let Some(part) = &self.behind {
            said.push_str(&tr!(
                " Then each row of the weight so made gets a trained length, {} ({}).",
                part.symbol,
                part.rows
            ));
        }
        if self.from_weight {
            said.push_str(&tr!(" Both began as W0's own largest directions."));
        } else if let Some(part) = self.parts.iter().find(|part| part.from_zero) {
            said.push_str(&tr!(" {} begins at zero: nothing is added at first.", part.symbol));
        }
        said
    }
}

/// Where what is for outputs alone stands.
const BEHIND: usize = 4;

/// Where a parameter stands on x's way; gates stand before 3.
fn place(axes: &[Axis]) -> usize {
    match (axes.contains(&Axis::Inputs), axes.contains(&Axis::Outputs), axes.len()) {
        (true, ..) => 0,
        (_, true, 1) => BEHIND,
        (_, true, _) => 3,
        (_, _, 1) => 1,
        _ => 2,
    }
}

fn part(parameter: &Parameter, widths: Widths, gated: Option<Product>) -> Part {
    let len = parameter.len(widths);
    let (first, last) = (parameter.axes[0], parameter.axes[parameter.axes.len() - 1]);
    let branches = |place| match gated {
        Some(Product { experts, readers: Some(read), .. }) => {
            if place == 0 {
                read
            } else {
                experts / read
            }
        }
        Some(product) => product.experts,
        None => 1,
    };
    let place = place(&parameter.axes);
    let branches = branches(place);
    let (role, rows, cols) = match place {
        1 | BEHIND => (Role::Scales, len, 1),
        3 => (Role::Writes, widths.outputs, len / widths.outputs / branches),
        0 if first == Axis::Outputs => (Role::Reads, widths.outputs, widths.inputs),
        _ => (Role::Reads, len / last.len(widths) / branches, last.len(widths)),
    };
    Part {
        role,
        symbol: parameter.symbol(),
        name: parameter.name,
        rows,
        cols,
        branches,
        trained: parameter.trained,
        from_zero: matches!(parameter.start, Start::Zero),
    }
}

impl Part {
    const EMPTY: Self = Self {
        role: Role::Scales,
        symbol: "",
        name: "",
        rows: 0,
        cols: 1,
        branches: 1,
        trained: false,
        from_zero: false,
    };

    pub fn is_matrix(&self) -> bool {
        matches!(self.role, Role::Reads | Role::Writes)
    }

    fn readers(&self) -> usize {
        if matches!(self.role, Role::Reads) { self.branches } else { 1 }
    }

    /// What leaves it, its numbers being these.
    pub fn apply(&self, values: &[f32], x: &[f64]) -> Vec<f64> {
        let dot = |row: &[f32], x: &[f64]| row.iter().zip(x).map(|(&w, &x)| f64::from(w) * x).sum::<f64>();
        match self.role {
            Role::Reads => values.chunks_exact(self.cols).map(|row| dot(row, x)).collect(),
            Role::Writes => {
                let mut sum = vec![0.0; self.rows];
                for (own, x) in values.chunks_exact(self.rows * self.cols).zip(x.chunks_exact(self.cols)) {
                    sum.iter_mut().zip(own.chunks_exact(self.cols)).for_each(|(sum, row)| *sum += dot(row, x));
                }
                sum
            }
            Role::Scales => x.iter().zip(values).map(|(&x, &v)| f64::from(v) * x).collect(),
            Role::Gates { shared: true } => {
                let to = |j: usize| (0..self.rows).map(|i| f64::from(values[i * self.cols + j]) * x[i]).sum();
                (0..self.cols).map(to).collect()
            }
            Role::Gates { shared: false } => {
                let rank = x.len() / self.rows;
                x.iter().enumerate().map(|(at, &x)| f64::from(values[at / rank]) * x).collect()
            }
            Role::Fixed(rule) => rule(x, self.rows),
        }
    }
}
