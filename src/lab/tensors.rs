//! A lane's tensors by name, as the outer world sees them: parameters, gradients, gates, the output, the base.

use super::Lab;
use crate::error::{Error, Result};
use crate::exec::Recording;
use crate::graph::{GRADS, PARAMS, Tensor};

/// A tensor's name and shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorInfo {
    pub name: String,
    pub shape: Vec<usize>,
}

enum Source {
    Parameter(Tensor),
    Gradient(Tensor),
    Gate(crate::graph::Buffer, Tensor),
    Output,
    Weight(usize),
    Bias(usize),
}

impl Lab {
    /// All of a lane's tensors: parameters, what lies fixed among them, gradients, gates, the frozen base, the output.
    pub fn tensors(&self, lane: usize) -> Result<Vec<TensorInfo>> {
        self.check_lane(lane)?;
        let program = self.engine.program(lane);
        let info = |name: &str, shape: &[usize]| TensorInfo { name: name.to_owned(), shape: shape.to_vec() };
        let mut out: Vec<_> = program.tensors.iter().chain(&program.fixed).map(|t| info(&t.name, &t.shape)).collect();
        out.extend(program.tensors.iter().map(|t| info(&gradient_name(t), &t.shape)));
        out.extend(program.gates.iter().map(|(_, _, t)| info(&t.name, &t.shape)));
        for (l, layer) in self.task.layers.iter().enumerate() {
            out.push(info(&format!("layers.{l}.base.weight"), &[layer.outputs, layer.inputs]));
            out.push(info(&format!("layers.{l}.base.bias"), &[layer.outputs]));
        }
        out.push(info("output", &program.output_tensor.1.shape));
        Ok(out)
    }

    /// Values of a tensor, row-major. Gradients and gates are those of the most recent forward and backward pass:
    /// of the last step, or, before the first and after a parameter was set, of the current parameters. The output
    /// is that of the current parameters on the next step's batch.
    pub async fn tensor(&self, lane: usize, name: &str) -> Result<Vec<f32>> {
        let step = self.step_record(self.step, 0);
        match self.find(lane, name)? {
            Source::Weight(l) => Ok(self.task.base[l].weight.clone()),
            Source::Bias(l) => Ok(self.task.base[l].bias.clone()),
            Source::Output => {
                self.engine.run(lane, Recording::Output, step)?;
                let (buffer, tensor) = self.engine.program(lane).output_tensor.clone();
                Ok(tensor.gather(&self.read_one(lane, buffer).await?))
            }
            Source::Parameter(tensor) => Ok(tensor.gather(&self.read_one(lane, PARAMS).await?)),
            Source::Gradient(tensor) => {
                if self.lanes[lane].stale {
                    self.engine.run(lane, Recording::Gradients, step)?;
                }
                Ok(tensor.gather(&self.read_one(lane, GRADS).await?))
            }
            Source::Gate(buffer, tensor) => {
                if self.lanes[lane].stale {
                    self.engine.run(lane, Recording::Gradients, step)?;
                }
                Ok(tensor.gather(&self.read_one(lane, buffer).await?))
            }
        }
    }

    /// Names and shapes of a layer's tensors that training changes, and of those beside them that it does not: what its
    /// adapter is.
    pub fn held(&self, lane: usize, layer: usize) -> impl Iterator<Item = TensorInfo> + '_ {
        let program = self.engine.program(lane);
        let own = program.tensors.iter().chain(&program.fixed).filter(move |tensor| tensor.layer().0 == layer);
        own.map(|tensor| TensorInfo { name: tensor.name.clone(), shape: tensor.shape.clone() })
    }

    /// Set a trainable tensor, or prototypes; `values` are row-major.
    pub async fn set_tensor(&mut self, lane: usize, name: &str, values: &[f32]) -> Result<()> {
        let Source::Parameter(tensor) = self.find(lane, name)? else {
            return Err(Error::Missing {
                what: "tensor to set",
                name: name.to_owned(),
                hint: format!("those that can be set are {}", self.names(lane)),
            });
        };
        if values.len() != tensor.len() {
            return Err(Error::Data {
                what: name.to_owned(),
                expected: format!("{} values for shape {:?}", tensor.len(), tensor.shape),
                got: values.len().to_string(),
            });
        }
        if let Some(index) = values.iter().position(|v| !v.is_finite()) {
            return Err(Error::Data {
                what: format!("{name}[{index}]"),
                expected: "a finite number".into(),
                got: values[index].to_string(),
            });
        }
        let mut params = self.read_one(lane, PARAMS).await?;
        tensor.scatter(&mut params, values);
        self.engine.write(lane, PARAMS, &params)?;
        self.lanes[lane].stale = true;
        Ok(())
    }

    pub(super) async fn read_one(&self, lane: usize, buffer: crate::graph::Buffer) -> Result<Vec<f32>> {
        Ok(self.engine.read(&[(lane, buffer)]).await?.swap_remove(0))
    }

    /// # Errors
    /// `Error::Missing` if there is no such lane.
    pub fn check_lane(&self, lane: usize) -> Result<()> {
        if lane < self.lanes.len() {
            return Ok(());
        }
        let hint = format!("lanes are numbered 0 to {}", self.lanes.len() - 1);
        Err(Error::Missing { what: "lane", name: lane.to_string(), hint })
    }

    fn names(&self, lane: usize) -> String {
        let program = self.engine.program(lane);
        program.tensors.iter().chain(&program.fixed).map(|t| t.name.as_str()).collect::<Vec<_>>().join(", ")
    }

    fn find(&self, lane: usize, name: &str) -> Result<Source> {
        self.check_lane(lane)?;
        let program = self.engine.program(lane);
        if name == "output" {
            return Ok(Source::Output);
        }
        for (l, _) in self.task.layers.iter().enumerate() {
            if name == format!("layers.{l}.base.weight") {
                return Ok(Source::Weight(l));
            }
            if name == format!("layers.{l}.base.bias") {
                return Ok(Source::Bias(l));
            }
        }
        if let Some(tensor) = program.fixed.iter().find(|tensor| tensor.name == name) {
            return Ok(Source::Parameter(tensor.clone()));
        }
        for tensor in &program.tensors {
            if tensor.name == name {
                return Ok(Source::Parameter(tensor.clone()));
            }
            if gradient_name(tensor) == name {
                return Ok(Source::Gradient(tensor.clone()));
            }
        }
        let gate = program.gates.iter().find(|(_, _, tensor)| tensor.name == name);
        gate.map(|(_, buffer, tensor)| Source::Gate(*buffer, tensor.clone())).ok_or_else(|| Error::Missing {
            what: "tensor",
            name: name.to_owned(),
            hint: format!("lane {lane} has {} and output", self.names(lane)),
        })
    }
}

/// "layers.0.lora_A" as "layers.0.grad.lora_A".
fn gradient_name(tensor: &Tensor) -> String {
    let (layer, rest) = tensor.layer();
    format!("layers.{layer}.grad.{rest}")
}
