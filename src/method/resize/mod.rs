//! Changing the size of a trained adapter, the optimiser's state with it. Methods say which of these their tensors take.
//! Knows nothing of lanes or engines.

pub mod experts;
pub mod factors;

use crate::error::{Error, Result};
use crate::rng::Rng;

/// One trained tensor with AdamW's moments, all of the same length.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    pub value: Vec<f32>,
    /// Running mean of the gradient.
    pub first: Vec<f32>,
    /// Running mean of its square.
    pub second: Vec<f32>,
}

impl Parameter {
    fn check(&self, what: &str, length: usize) -> Result<()> {
        for (part, values) in [("", &self.value), (" first moment", &self.first), (" second moment", &self.second)] {
            if values.len() != length {
                return Err(Error::Data {
                    what: format!("{what}{part}"),
                    expected: format!("{length} values"),
                    got: values.len().to_string(),
                });
            }
        }
        Ok(())
    }
}

/// One layer's tensors on their way from one size to another, by their names in the method.
pub trait Tensors {
    /// # Errors
    /// `Error::Missing` where the lane has no such tensor.
    fn take(&self, name: &str) -> Result<Parameter>;
    /// # Errors
    /// `Error::Missing` where the resized lane has no such tensor.
    fn put(&mut self, name: &str, parameter: &Parameter) -> Result<()>;
    /// Mean gate of each expert over a batch; empty unless the method asks for it.
    fn mean_gate(&self) -> &[f64];
    /// Draws what is new.
    fn rng(&mut self) -> &mut Rng;

    /// Hands tensors on as they are.
    ///
    /// # Errors
    /// `Error::Missing` where the lane has no such tensor.
    fn carry(&mut self, names: &[&str]) -> Result<()> {
        for name in names {
            let parameter = self.take(name)?;
            self.put(name, &parameter)?;
        }
        Ok(())
    }
}
