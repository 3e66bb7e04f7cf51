//! Many adapters of one network, stacked: for each linear layer lora_A and lora_B of all of them side by side, as they lie in
//! one file and in one buffer. Knows neither what the adapters are for nor how they are run.

use std::collections::BTreeMap;

use crate::error::Result;
use crate::files::write::{Planned, Writer};
use crate::files::{Checkpoint, Dtype, Sink, Source, broken};
use crate::lang::tr;
use crate::tensor::widened;

/// Metadata of the file: the adapters' names, in their order, and α.
const NAMES: &str = "adapters";
const ALPHA: &str = "lora_alpha";

/// Adapters of one rank, on the same layers.
#[derive(Clone, Debug, PartialEq)]
pub struct Library {
    pub names: Vec<String>,
    pub rank: usize,
    pub alpha: f64,
    pub sites: Vec<Stacked>,
}

/// One linear layer's factors.
#[derive(Clone, Debug, PartialEq)]
pub struct Stacked {
    /// "model.layers.0.self_attn.q_proj".
    pub name: String,
    pub inputs: usize,
    pub outputs: usize,
    /// lora_A `[adapters, rank, inputs]` and lora_B `[adapters, outputs, rank]`.
    pub a: Vec<f32>,
    pub b: Vec<f32>,
}

impl Stacked {
    /// One adapter's lora_A `[rank, inputs]` and lora_B `[outputs, rank]`.
    pub fn of(&self, adapter: usize, rank: usize) -> (&[f32], &[f32]) {
        let (a, b) = (rank * self.inputs, rank * self.outputs);
        (&self.a[adapter * a..(adapter + 1) * a], &self.b[adapter * b..(adapter + 1) * b])
    }
}

impl Library {
    /// What each adapter's product is multiplied by.
    pub fn scaling(&self) -> f64 {
        self.alpha / self.rank as f64
    }

    /// Numbers of one adapter.
    pub fn parameters(&self) -> usize {
        self.sites.iter().map(|site| self.rank * (site.inputs + site.outputs)).sum()
    }

    /// The number of the adapter of that name.
    pub fn find(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|own| own == name)
    }

    /// Reads a whole file.
    ///
    /// # Errors
    /// `Error::File` where it is no such file.
    pub async fn open<S: Source>(source: S) -> Result<Self> {
        let file = Checkpoint::open(vec![source]).await?;
        let wrong = |problem: String| broken(&file.file(), problem);
        let metadata = &file.shards[0].header.metadata;
        let names: Vec<String> =
            metadata.get(NAMES).map(|names| names.split(',').map(str::to_owned).collect()).unwrap_or_default();
        let alpha = metadata.get(ALPHA).and_then(|alpha| alpha.parse().ok());
        let alpha =
            alpha.ok_or_else(|| wrong(tr!("its metadata lack lora_alpha, so that it is no library of adapters")))?;
        let firsts: Vec<String> =
            file.tensors().filter_map(|t| t.name.strip_suffix(".lora_A").map(str::to_owned)).collect();
        let (mut rank, mut sites) = (None, Vec::new());
        for name in firsts {
            let (a, b) = (file.read(&format!("{name}.lora_A")).await?, file.read(&format!("{name}.lora_B")).await?);
            let (&[count, r, inputs], &[count_b, outputs, r_b]) = (a.shape.as_slice(), b.shape.as_slice()) else {
                return Err(wrong(tr!("tensors of \"{name}\" have not three axes each", name)));
            };
            let fits = count == names.len() && count_b == count && r_b == r && *rank.get_or_insert(r) == r && r > 0;
            if !fits {
                let problem = tr!(
                    "tensors of \"{name}\" are {a} and {b}, which are no factors of one rank for {adapters} adapters",
                    name,
                    a = format!("{:?}", a.shape),
                    b = format!("{:?}", b.shape),
                    adapters = names.len()
                );
                return Err(wrong(problem));
            }
            sites.push(Stacked { name, inputs, outputs, a: a.values, b: b.values });
        }
        let rank = rank.ok_or_else(|| wrong(tr!("it holds no lora_A")))?;
        Ok(Self { names, rank, alpha, sites })
    }

    /// Writes the file in half precision; `origin` says where the adapters come from.
    ///
    /// # Errors
    /// Those of the sink.
    pub async fn write(&self, sink: &mut impl Sink, origin: &str) -> Result<()> {
        let count = self.names.len();
        let tensor = |name, shape| Planned { name, dtype: Dtype::F16, shape };
        let both = |site: &Stacked| {
            [
                tensor(format!("{}.lora_A", site.name), vec![count, self.rank, site.inputs]),
                tensor(format!("{}.lora_B", site.name), vec![count, site.outputs, self.rank]),
            ]
        };
        let tensors: Vec<Planned> = self.sites.iter().flat_map(both).collect();
        let metadata = [
            ("format", "pt".to_owned()),
            (NAMES, self.names.join(",")),
            (ALPHA, self.alpha.to_string()),
            ("origin", origin.to_owned()),
        ];
        let metadata: BTreeMap<_, _> = metadata.map(|(key, value)| (key.to_owned(), value)).into();
        let mut writer = Writer::begin(sink, &tensors, &metadata).await?;
        for site in &self.sites {
            writer.values(Dtype::F16, &site.a).await?;
            writer.values(Dtype::F16, &site.b).await?;
        }
        writer.end()
    }

    /// Cosines between the changes ΔW of all pairs, over all layers together, `[adapters][adapters]`. No change is made for
    /// it: `⟨B₁A₁, B₂A₂⟩ = Σ (B₁ᵀB₂) ∘ (A₁A₂ᵀ)`.
    pub fn cosines(&self) -> Vec<Vec<f64>> {
        let count = self.names.len();
        let mut products = vec![vec![0.0; count]; count];
        for site in &self.sites {
            let factors: Vec<_> = (0..count)
                .map(|adapter| {
                    let (a, b) = site.of(adapter, self.rank);
                    (widened(a, (self.rank, site.inputs)), widened(b, (site.outputs, self.rank)))
                })
                .collect();
            for (row, (a, b)) in products.iter_mut().zip(&factors) {
                for (product, (other_a, other_b)) in row.iter_mut().zip(&factors) {
                    *product += (b.t().dot(other_b) * a.dot(&other_a.t())).sum();
                }
            }
        }
        let lengths: Vec<f64> = (0..count).map(|i| products[i][i].sqrt()).collect();
        let cosine = |i: usize, j: usize| if i == j { 1.0 } else { products[i][j] / (lengths[i] * lengths[j]) };
        (0..count).map(|i| (0..count).map(|j| cosine(i, j)).collect()).collect()
    }
}
