//! Several adapters of a library added to one: by PEFT's three ways, each sum as an adapter of another library, so that one batch
//! reads a text with all of them. Knows nothing of texts.

use super::measured::Measured;
use crate::error::Result;
use crate::files::Memory;
use crate::lab::library::{Library, Stacked};
use crate::order::places;
use crate::peft::Adapter;
use crate::peft::combine::{Combination, combine};
use crate::peft::plain::{Files, Plain, write};

/// How many adapters are added.
pub const COUNTS: [usize; 7] = [1, 2, 3, 4, 6, 8, 12];
/// PEFT's ways, in the order of a point's bits.
pub const WAYS: [&str; 3] = ["linear", "cat", "svd"];

/// One adapter as PEFT stores it.
///
/// # Errors
/// Those of the file's writer.
pub async fn alone(library: &Library, adapter: usize) -> Result<Files> {
    let modules: Vec<Plain> = library
        .sites
        .iter()
        .map(|site| {
            let (a, b) = site.of(adapter, library.rank);
            Plain { name: site.name.clone(), inputs: site.inputs, outputs: site.outputs, a: a.to_vec(), b: b.to_vec() }
        })
        .collect();
    write(&modules, library.rank, library.alpha, false).await
}

/// The first `count` of these adapters, for each count and each way, at the rank that side by side takes at most; `share`: each
/// with a weight of 1/count, else of 1. `go_on` is told how many sums are made, of how many.
///
/// # Errors
/// Those of combining, and of `go_on`.
pub async fn sums(
    library: &Library,
    adapters: &[usize],
    share: bool,
    mut go_on: impl AsyncFnMut(usize, usize) -> Result<()>,
) -> Result<Library> {
    let mut open = Vec::new();
    for &adapter in adapters {
        let Files { adapter, config } = alone(library, adapter).await?;
        open.push(Adapter::open(Memory::new("adapter_model.safetensors", adapter), Some(config.as_bytes())).await?);
    }
    let counts: Vec<usize> = COUNTS.into_iter().filter(|&count| count <= adapters.len()).collect();
    let rank = library.rank * counts.last().copied().unwrap_or(1);
    let mut all = Library { names: Vec::new(), rank, alpha: rank as f64, sites: Vec::new() };
    all.sites = library.sites.iter().map(|site| Stacked { a: Vec::new(), b: Vec::new(), ..site.clone() }).collect();
    let of = counts.len() * WAYS.len();
    for &count in &counts {
        let weight = if share { 1.0 / count as f64 } else { 1.0 };
        let parts: Vec<_> = open.iter().take(count).map(|adapter| (adapter, weight)).collect();
        for (how, way) in
            [Combination::Linear, Combination::Cat, Combination::Svd(Some(library.rank))].into_iter().zip(WAYS)
        {
            let draft = combine(&parts, how, None)?;
            for site in &mut all.sites {
                let Some(module) = draft.modules.iter().find(|module| module.name == site.name) else { continue };
                let (factors, _) = module.factors().await?;
                // The library's own scaling is 1, and what is missing to its rank is zero.
                site.a.extend(factors.a.iter().map(|&value| (f64::from(value) * module.scaling) as f32));
                site.a.resize((all.names.len() + 1) * rank * site.inputs, 0.0);
                for row in factors.b.chunks(module.rank) {
                    site.b.extend(row);
                    site.b.resize(site.b.len() + rank - module.rank, 0.0);
                }
            }
            all.names.push(format!("{way} {count}"));
            go_on(all.names.len(), of).await?;
        }
    }
    Ok(all)
}

/// The other languages by how alike their changes are to this one's, the most alike first.
pub fn alike(measured: &Measured, language: usize) -> Vec<usize> {
    let cosine = &measured.cosine[language];
    let order = places(cosine.len(), &|a, b| cosine[b].total_cmp(&cosine[a]));
    order.into_iter().filter(|&other| other != language).collect()
}

/// Where interference begins: how many adapters it takes by that way until the language costs `more` bits than with its own
/// alone, and until it costs more than with none; `None` where it never comes to that.
pub fn limits(points: &[(usize, [f64; 3])], way: usize, base: f64, more: f64) -> (Option<usize>, Option<usize>) {
    let alone = points.iter().find(|(count, _)| *count == 1).map_or(base, |(_, bits)| bits[way]);
    let first = |limit: f64| points.iter().find(|(_, bits)| bits[way] > limit).map(|(count, _)| *count);
    (first(alone + more), first(base))
}

#[cfg(test)]
mod tests {
    use pollster::block_on;

    use super::*;

    fn library() -> Library {
        let mut rng = crate::rng::Rng::new(7, 7);
        let mut values = |count: usize| (0..count).map(|_| rng.normal() as f32).collect::<Vec<_>>();
        let sites = vec![Stacked {
            name: "model.layers.0.q".into(),
            inputs: 9,
            outputs: 6,
            a: values(3 * 2 * 9),
            b: values(3 * 6 * 2),
        }];
        Library { names: ["a", "b", "c"].map(String::from).to_vec(), rank: 2, alpha: 4.0, sites }
    }

    /// ΔW of one adapter.
    fn change(library: &Library, adapter: usize) -> Vec<f64> {
        let site = &library.sites[0];
        let (a, b) = site.of(adapter, library.rank);
        let cell = |o: usize, i: usize| {
            let sum: f64 =
                (0..library.rank).map(|r| f64::from(b[o * library.rank + r]) * f64::from(a[r * site.inputs + i])).sum();
            sum * library.scaling()
        };
        (0..site.outputs).flat_map(|o| (0..site.inputs).map(move |i| (o, i))).map(|(o, i)| cell(o, i)).collect()
    }

    fn distance(a: &[f64], b: &[f64]) -> f64 {
        a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
    }

    #[test]
    fn side_by_side_is_the_sum_and_the_others_what_their_ways_say() {
        let library = library();
        for share in [false, true] {
            let all = block_on(sums(&library, &[2, 0, 1], share, async |_, _| Ok(()))).unwrap();
            assert_eq!(
                all.names,
                ["linear 1", "cat 1", "svd 1", "linear 2", "cat 2", "svd 2", "linear 3", "cat 3", "svd 3"]
            );
            assert_eq!((all.rank, all.scaling()), (6, 1.0));
            for (at, count) in [1, 2, 3].into_iter().enumerate() {
                let weight = if share { 1.0 / count as f64 } else { 1.0 };
                let parts: Vec<Vec<f64>> = [2, 0, 1][..count].iter().map(|&one| change(&library, one)).collect();
                let sum: Vec<f64> =
                    (0..54).map(|cell| weight * parts.iter().map(|part| part[cell]).sum::<f64>()).collect();
                let [linear, cat, svd] = [0, 1, 2].map(|way| distance(&change(&all, 3 * at + way), &sum));
                assert!(cat < 1e-5, "cat of {count}: {cat}");
                if count == 1 {
                    assert!(linear < 1e-5 && svd < 1e-5, "one alone is itself: {linear}, {svd}");
                } else {
                    // The best of rank 2 is nearer than anything else of rank 2, and not exact.
                    assert!(svd > 0.1 && svd < linear, "{count}: svd {svd}, linear {linear}");
                }
            }
        }
    }

    #[test]
    fn where_interference_begins() {
        let points = [(1, [2.0; 3]), (2, [2.05, 2.0, 2.2]), (4, [5.0, 2.3, 2.2])];
        assert_eq!(limits(&points, 0, 4.0, 0.1), (Some(4), Some(4)));
        assert_eq!(limits(&points, 1, 4.0, 0.1), (Some(4), None));
        assert_eq!(limits(&points, 2, 4.0, 0.1), (Some(2), None));
    }
}
