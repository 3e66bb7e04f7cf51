//! Where a lane's parameters begin: drawn from the seed, or made from the frozen weights; and what of them never changes.

use super::CompiledLane;
use crate::adapter::count::scaling;
use crate::adapter::pissa::{Split, split};
use crate::config::Lane;
use crate::config::{Init, Method};
use crate::rng::Rng;
use crate::task::TaskData;

/// Initial parameters of a lane, in the padded layout.
pub fn params(task: &TaskData, lane: &Lane, compiled: &CompiledLane, rng: &mut Rng) -> Vec<f32> {
    let mut params = vec![0.0; compiled.padded];
    for (index, site) in compiled.sites.iter().enumerate() {
        let inputs = task.network.sites()[index].inputs;
        // The fan-in of each of the gate network's layers; everything else reads the site's input.
        let hidden = site.parameter("intuition.w1").map_or(inputs, |w1| w1.shape[0]);
        for tensor in &site.parameters {
            let key = site.key(tensor);
            let fan_in = match key {
                "intuition.w2" | "intuition.b2" | "gate.w" | "gate.b" => hidden,
                _ => inputs,
            };
            let own = from_frozen(task, lane, index, key);
            let values = own.unwrap_or_else(|| crate::adapter::initial(key, &tensor.shape, fan_in, rng));
            tensor.scatter(&mut params, &values);
        }
        // Prototypes are all that a lane holds and does not train.
        for tensor in &site.frozen_parameters {
            tensor.scatter(&mut params, &super::prototypes::prototypes(task, index, tensor.shape[0]));
        }
    }
    params
}

/// Values that a lane takes from the frozen weight.
fn from_frozen(task: &TaskData, lane: &Lane, site: usize, key: &str) -> Option<Vec<f32>> {
    match (key, lane.options.init) {
        ("lora_magnitude_vector", _) => Some(lengths(&task.base[site].weight, task.network.sites()[site].inputs)),
        ("lora_A", Init::Pissa) => Some(pissa(task, site, &lane.method_at(site)).a),
        ("lora_B", Init::Pissa) => Some(pissa(task, site, &lane.method_at(site)).b),
        _ => None,
    }
}

/// PiSSA's split of a site's frozen weight.
pub fn pissa(task: &TaskData, site: usize, method: &Method) -> Split {
    let shape = &task.network.sites()[site];
    let rank = match *method {
        Method::Lora { rank, .. } => rank,
        _ => 0,
    };
    split(&task.base[site].weight, (shape.inputs, shape.outputs), rank, scaling(method))
}

/// Length of every row.
fn lengths(weight: &[f32], inputs: usize) -> Vec<f32> {
    let square = |row: &[f32]| row.iter().map(|&w| f64::from(w).powi(2)).sum::<f64>();
    weight.chunks_exact(inputs).map(|row| libm::sqrt(square(row)) as f32).collect()
}
