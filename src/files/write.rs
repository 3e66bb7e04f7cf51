//! Writing a safetensors file: what it will hold is said first, then the values come in that order, so that nothing is
//! held in memory. Knows nothing of what they mean.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Dtype, Header, Sink, broken};
use crate::error::Result;
use crate::lang::tr;

/// What a tensor to be written will be.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    pub name: String,
    pub dtype: Dtype,
    pub shape: Vec<usize>,
}

/// Metadata that PyTorch's readers want.
pub fn pytorch() -> BTreeMap<String, String> {
    BTreeMap::from([("format".to_owned(), "pt".to_owned())])
}

/// A file being written.
#[derive(Debug)]
pub struct Writer<'a, K> {
    sink: &'a mut K,
    /// Bytes still to come.
    left: u64,
}

impl<'a, K: Sink> Writer<'a, K> {
    /// Write the header for `tensors`, whose bytes must follow in this order.
    ///
    /// # Errors
    /// Those of the sink.
    pub async fn begin(sink: &'a mut K, tensors: &[Planned], metadata: &BTreeMap<String, String>) -> Result<Self> {
        let mut header = Map::new();
        if !metadata.is_empty() {
            header.insert("__metadata__".into(), json!(metadata));
        }
        let mut at = 0u64;
        for tensor in tensors {
            let count = tensor.shape.iter().product::<usize>() as u64;
            let end = at + (count * u64::from(tensor.dtype.bits())).div_ceil(8);
            let entry = json!({ "dtype": tensor.dtype.name(), "shape": tensor.shape, "data_offsets": [at, end] });
            if header.insert(tensor.name.clone(), entry).is_some() {
                return Err(broken(&tensor.name, tr!("would be written twice")));
            }
            at = end;
        }
        sink.write(&Header::framed(Value::Object(header).to_string())).await?;
        Ok(Self { sink, left: at })
    }

    /// The next values, stored as `dtype`.
    ///
    /// # Errors
    /// Those of the sink; `Error::File` for more than was planned.
    pub async fn values(&mut self, dtype: Dtype, values: &[f32]) -> Result<()> {
        self.bytes(&dtype.encode(values)).await
    }

    /// The next bytes as they are.
    ///
    /// # Errors
    /// As `values`.
    pub async fn bytes(&mut self, bytes: &[u8]) -> Result<()> {
        self.left = self
            .left
            .checked_sub(bytes.len() as u64)
            .ok_or_else(|| broken(&tr!("written file"), tr!("more than planned")))?;
        self.sink.write(bytes).await
    }

    /// # Errors
    /// `Error::File` where less came than was planned.
    pub fn end(self) -> Result<()> {
        match self.left {
            0 => Ok(()),
            left => Err(broken(&tr!("written file"), tr!("{left} bytes short of what its header says", left))),
        }
    }
}
