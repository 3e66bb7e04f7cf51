//! Where a lane's parameters begin: drawn from the seed, or made from the frozen weights; and what of them never changes.

use super::LaneProgram;
use crate::adapter::count::scaling;
use crate::adapter::pissa::{Split, split};
use crate::config::Lane;
use crate::config::{Init, Method};
use crate::rng::Rng;
use crate::task::TaskData;

/// Initial parameters of a lane, in the padded layout.
pub fn params(task: &TaskData, lane: &Lane, program: &LaneProgram, rng: &mut Rng) -> Vec<f32> {
    let mut params = vec![0.0; program.padded];
    for tensor in &program.tensors {
        let (layer, name) = tensor.layer();
        let inputs = task.network.sites()[layer].inputs;
        // The fan-in of each of the gate network's layers; everything else reads the layer's input.
        let hidden = |name: &str| {
            let tensor = program.tensors.iter().find(|t| t.layer() == (layer, name));
            tensor.map_or(inputs, |t| t.shape[0])
        };
        let fan_in = match name {
            "intuition.w2" | "intuition.b2" | "gate.w" | "gate.b" => hidden("intuition.w1"),
            _ => inputs,
        };
        let made = from_frozen(task, lane, layer, name);
        let values = made.unwrap_or_else(|| crate::adapter::initial(name, &tensor.shape, fan_in, rng));
        tensor.scatter(&mut params, &values);
    }
    fix(task, program, &mut params);
    params
}

/// Prototypes, which are all that a lane holds and does not train.
fn fix(task: &TaskData, program: &LaneProgram, params: &mut [f32]) {
    for tensor in &program.fixed {
        let values = super::prototypes::prototypes(task, tensor.layer().0, tensor.shape[0]);
        tensor.scatter(params, &values);
    }
}

/// Values that a lane takes from the frozen weight.
fn from_frozen(task: &TaskData, lane: &Lane, layer: usize, name: &str) -> Option<Vec<f32>> {
    match (name, lane.options.init) {
        ("lora_magnitude_vector", _) => Some(lengths(&task.base[layer].weight, task.network.sites()[layer].inputs)),
        ("lora_A", Init::Pissa) => Some(pissa(task, layer, &lane.method_at(layer)).a),
        ("lora_B", Init::Pissa) => Some(pissa(task, layer, &lane.method_at(layer)).b),
        _ => None,
    }
}

/// PiSSA's split of a layer's frozen weight.
pub fn pissa(task: &TaskData, layer: usize, method: &Method) -> Split {
    let spec = &task.network.sites()[layer];
    let rank = match *method {
        Method::Lora { rank, .. } => rank,
        _ => 0,
    };
    split(&task.base[layer].weight, (spec.inputs, spec.outputs), rank, scaling(method))
}

/// Length of every row.
fn lengths(weight: &[f32], inputs: usize) -> Vec<f32> {
    let square = |row: &[f32]| row.iter().map(|&w| f64::from(w).powi(2)).sum::<f64>();
    weight.chunks_exact(inputs).map(|row| libm::sqrt(square(row)) as f32).collect()
}
