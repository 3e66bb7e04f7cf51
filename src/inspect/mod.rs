//! What is inside a trained adapter: spectra, changes of rank that keep the output, and single weights that stand in
//! for a mixture. All in f64 from f32 parameters. Knows nothing of how training runs or how results are drawn.

pub mod experts;
pub mod merge;
pub mod resize;
pub mod spectrum;

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
    fn check(&self, what: &str, length: usize) -> crate::error::Result<()> {
        for (part, values) in [("", &self.value), (" first moment", &self.first), (" second moment", &self.second)] {
            if values.len() != length {
                return Err(crate::error::Error::Data {
                    what: format!("{what}{part}"),
                    expected: format!("{length} values"),
                    got: values.len().to_string(),
                });
            }
        }
        Ok(())
    }
}
