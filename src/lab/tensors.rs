//! A lane's tensors by name, as the outer world sees them: parameters, gradients, gates, the output, the base.

use super::Lab;
use crate::args::SavedModule;
use crate::error::{Error, Result};
use crate::exec::Recording;
use crate::graph::{GRADS, PARAMS, Tensor};
use crate::lang::{marked, tr};
use crate::task::network::LinearSite;

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
        let compiled = self.engine.compiled(lane);
        let info = |name: &str, shape: &[usize]| TensorInfo { name: name.to_owned(), shape: shape.to_vec() };
        let mut out: Vec<_> =
            compiled.tensors().chain(compiled.frozen_parameters()).map(|t| info(&t.name, &t.shape)).collect();
        out.extend(compiled.gradient_names().map(|(name, t)| info(&name, &t.shape)));
        out.extend(compiled.gates().map(|(_, _, t)| info(&t.name, &t.shape)));
        for site in self.task.network.sites() {
            out.push(info(&weight_name(site), &[site.outputs, site.inputs]));
            out.push(info(&bias_name(site), &[site.outputs]));
        }
        out.push(info("output", &compiled.output_tensor.1.shape));
        Ok(out)
    }

    /// Values of a tensor, row-major. Gradients and gates are those of the most recent forward and backward pass:
    /// of the last step, or, before the first and after a parameter was set, of the current parameters. The output
    /// is that of the current parameters on the next step's batch.
    pub async fn tensor(&self, lane: usize, name: &str) -> Result<Vec<f32>> {
        let step = self.step_record(None, self.step, 0);
        match self.find(lane, name)? {
            Source::Weight(l) => Ok(self.task.base[l].weight.to_vec()),
            Source::Bias(l) => Ok(self.task.base[l].bias.clone()),
            Source::Output => {
                self.engine.run(lane, Recording::Output, step)?;
                let (buffer, tensor) = self.engine.compiled(lane).output_tensor.clone();
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
        self.engine.compiled(lane).sites[layer]
            .held()
            .map(|tensor| TensorInfo { name: tensor.name.clone(), shape: tensor.shape.clone() })
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

    /// Names and shapes of what it adds to tables that it trains whole, by the tables' modules.
    pub fn saved(&self, lane: usize) -> impl Iterator<Item = (SavedModule, TensorInfo)> + '_ {
        let info = |tensor: &Tensor| TensorInfo { name: tensor.name.clone(), shape: tensor.shape.clone() };
        self.engine.compiled(lane).saved.iter().map(move |(module, tensor)| (*module, info(tensor)))
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
        let hint = tr!("lanes are numbered 0 to {}", self.lanes.len() - 1);
        Err(Error::Missing { what: marked!("lane"), name: lane.to_string(), hint })
    }

    fn names(&self, lane: usize) -> String {
        let compiled = self.engine.compiled(lane);
        compiled.tensors().chain(compiled.frozen_parameters()).map(|t| t.name.as_str()).collect::<Vec<_>>().join(", ")
    }

    fn find(&self, lane: usize, name: &str) -> Result<Source> {
        self.check_lane(lane)?;
        let compiled = self.engine.compiled(lane);
        if name == "output" {
            return Ok(Source::Output);
        }
        for (l, site) in self.task.network.sites().iter().enumerate() {
            if name == weight_name(site) {
                return Ok(Source::Weight(l));
            }
            if name == bias_name(site) {
                return Ok(Source::Bias(l));
            }
        }
        if let Some(tensor) = compiled.tensors().chain(compiled.frozen_parameters()).find(|tensor| tensor.name == name)
        {
            return Ok(Source::Parameter(tensor.clone()));
        }
        if let Some((_, tensor)) = compiled.gradient_names().find(|(own, _)| own == name) {
            return Ok(Source::Gradient(tensor.clone()));
        }
        let gate = compiled.gates().find(|(_, _, tensor)| tensor.name == name);
        gate.map(|(_, buffer, tensor)| Source::Gate(buffer, tensor.clone())).ok_or_else(|| Error::Missing {
            what: marked!("tensor"),
            name: name.to_owned(),
            hint: format!("lane {lane} has {} and output", self.names(lane)),
        })
    }
}

fn weight_name(site: &LinearSite) -> String {
    format!("{}.base.weight", site.name)
}

fn bias_name(site: &LinearSite) -> String {
    format!("{}.base.bias", site.name)
}
