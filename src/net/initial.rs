//! Where a lane's parameters begin: as its method declares, drawn from the seed or made from what is known of the layer.

use super::CompiledLane;
use crate::method::Lane;
use crate::method::description::{Layer, Parameter, Start, Widths};
use crate::rng::Rng;
use crate::task::TaskData;

/// Initial parameters of a lane, in the padded layout.
pub fn params(task: &TaskData, lane: &Lane, compiled: &CompiledLane, seed: u64, rng: &mut Rng) -> Vec<f32> {
    let mut params = vec![0.0; compiled.padded];
    for (index, site) in compiled.sites.iter().enumerate() {
        let layer = layer(task, index, seed);
        let settings = lane.settings_at(task.network.sites()[index].layer);
        let declared = (lane.method.parameters)(&settings, layer.widths);
        for tensor in site.parameters.iter().chain(&site.frozen_parameters) {
            let Some(parameter) = declared.iter().find(|parameter| parameter.name == site.key(tensor)) else {
                continue;
            };
            let values = match parameter.start {
                Start::Made(make) => make(&settings, &layer),
                Start::InputCentroids => super::prototypes::prototypes(task, index, tensor.shape[0]),
                _ => drawn(parameter, layer.widths, rng),
            };
            tensor.scatter(&mut params, &values);
        }
    }
    params
}

/// Values that need nothing but numbers that look random.
fn drawn(parameter: &Parameter, widths: Widths, rng: &mut Rng) -> Vec<f32> {
    let mut draw = || match parameter.start {
        Start::Uniform { fan_in } => {
            let bound = 1.0 / (fan_in as f64).sqrt();
            rng.uniform(-bound, bound)
        }
        Start::Normal(deviation) => deviation * rng.normal(),
        Start::Constant(value) => value,
        Start::One => 1.0,
        Start::Zero | Start::Made(_) | Start::InputCentroids => 0.0,
    };
    (0..parameter.len(widths)).map(|_| draw() as f32).collect()
}

/// A layer as it is before training.
pub fn layer(task: &TaskData, index: usize, seed: u64) -> Layer<'_> {
    let site = &task.network.sites()[index];
    let widths = Widths { inputs: site.inputs, outputs: site.outputs };
    Layer { widths, weight: &task.base[index].weight, seed }
}
