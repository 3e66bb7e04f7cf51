//! The spike: which directions of a changed random weight its spectrum shows at all.

use nalgebra::DMatrix;

use super::{Expected, Experiment, Figure, Inputs, Measuring, Series, each, near, quantity};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::rng::{Rng, stream};

const WIDTH: usize = 256;
/// Strengths, of which the first is too weak to be seen.
const THETAS: [f64; 3] = [0.5, 2.0, 3.0];

pub fn all() -> Vec<Experiment> {
    let names = THETAS.map(|theta| format!("{theta}"));
    let value = |theta: f64| if theta > 1.0 { theta + 1.0 / theta } else { 2.0 };
    let overlap = |theta: f64| if theta > 1.0 { 1.0 - 1.0 / (theta * theta) } else { 0.0 };
    let values = each(&THETAS, &|&theta| near(format!("θ = {theta}: largest singular value"), value(theta), 0.1));
    let overlaps = each(&THETAS, &|&theta| match theta > 1.0 {
        true => near(format!("θ = {theta}: overlap"), overlap(theta), 0.06),
        false => quantity(format!("θ = {theta}: overlap"), Expected::AtMost(0.1)),
    });
    vec![Experiment {
        id: "spike",
        setups: vec![],
        quantities: [values, overlaps].concat(),
        measure: spikes,
        figure: Some(Figure {
            x: "strength θ",
            y: "",
            columns: names.to_vec(),
            series: vec![
                Series { name: "largest singular value", first: 0 },
                Series { name: "overlap with u", first: THETAS.len() },
            ],
            log: false,
        }),
    }]
}

fn spikes(_: Vec<Config>, seed: u32, _: &Inputs) -> Measuring<'_> {
    Box::pin(async move {
        let mut rng = Rng::new(seed.into(), stream::BASE);
        let scale = 1.0 / (WIDTH as f64).sqrt();
        let base = DMatrix::from_fn(WIDTH, WIDTH, |_, _| scale * rng.normal());
        let mut unit = || DMatrix::from_fn(WIDTH, 1, |_, _| rng.normal()).normalize();
        let (u, v) = (unit(), unit());
        let found = THETAS.iter().map(|&theta| leading(&base + theta * &u * v.transpose(), &u));
        let found = found.collect::<Result<Vec<_>>>()?;
        Ok(found.iter().map(|f| f.0).chain(found.iter().map(|f| f.1)).collect())
    })
}

/// The largest singular value, and `⟨its left vector, u⟩²`.
fn leading(matrix: DMatrix<f64>, u: &DMatrix<f64>) -> Result<(f64, f64)> {
    // Left vectors are eigenvectors of the smaller problem; the largest value loses nothing by squaring.
    let eigen = (&matrix * matrix.transpose()).symmetric_eigen();
    let (at, largest) = eigen.eigenvalues.argmax();
    if !largest.is_finite() {
        return Err(Error::Data {
            what: "spiked matrix".into(),
            expected: "finite values".into(),
            got: largest.to_string(),
        });
    }
    Ok((libm::sqrt(largest), libm::pow(eigen.eigenvectors.column(at).dot(&u.column(0)), 2.0)))
}
