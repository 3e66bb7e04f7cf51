//! Numbers that nobody changes, held once by all who read them: a frozen base has its run, its displays and the CPU that it runs
//! on as readers. And how a device stores them. Knows nothing of what they are.

use std::ops::Deref;
use std::rc::Rc;

/// See the module. A clone is the same numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fixed<F = f32> {
    values: Rc<Vec<F>>,
    stored: Stored,
}

/// How a device stores numbers, all of which it has so exactly: what they came as. In memory they are 32-bit numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stored {
    #[default]
    F32,
    Bf16,
    /// But for its exponents, which begin ten lower, so that the numbers that F16 has without a leading one have it here: devices
    /// may take such for zero. What is [`F16_END`] or more has no place any more.
    F16,
}

/// What F16 numbers are stored for must be less than this.
pub const F16_END: f32 = 128.0;
/// 2^-102: between the exponents of F32 and of F16 stored.
const F16_SHIFT: f32 = f32::from_bits((127 - 102) << 23);

impl Stored {
    /// Bytes of a number.
    pub fn size(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::Bf16 | Self::F16 => 2,
        }
    }

    /// Numbers as a device has them.
    pub fn bytes(self, values: &[f32]) -> Vec<u8> {
        match self {
            Self::F32 => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            Self::Bf16 => values.iter().flat_map(|v| ((v.to_bits() >> 16) as u16).to_le_bytes()).collect(),
            Self::F16 => {
                let half = |v: &f32| {
                    let bits = (v * F16_SHIFT).to_bits();
                    (bits >> 16 & 0x8000 | bits >> 13 & 0x7fff) as u16
                };
                values.iter().flat_map(|v| half(v).to_le_bytes()).collect()
            }
        }
    }

    /// The numbers again.
    pub fn values(self, bytes: &[u8]) -> Vec<f32> {
        let halves = || bytes.as_chunks().0.iter().map(|&half| u32::from(u16::from_le_bytes(half)));
        match self {
            Self::F32 => bytes.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect(),
            Self::Bf16 => halves().map(|half| f32::from_bits(half << 16)).collect(),
            Self::F16 => {
                let value = |half: u32| f32::from_bits((half & 0x8000) << 16 | (half & 0x7fff) << 13) / F16_SHIFT;
                halves().map(value).collect()
            }
        }
    }
}

impl<F> Fixed<F> {
    /// Numbers that devices may store so.
    pub fn stored_as(values: Vec<F>, stored: Stored) -> Self {
        Self { values: Rc::new(values), stored }
    }

    pub fn stored(&self) -> Stored {
        self.stored
    }

    /// The very same numbers, which devices may store so.
    #[must_use]
    pub fn with_stored(&self, stored: Stored) -> Self {
        Self { values: self.values.clone(), stored }
    }
}

impl<F: Clone> Fixed<F> {
    /// For one who has them alone, as where they are made; otherwise a copy takes their place. What is written need not be of the
    /// numbers that fewer bits can hold.
    pub fn to_mut(&mut self) -> &mut Vec<F> {
        self.stored = Stored::F32;
        Rc::make_mut(&mut self.values)
    }

    /// Whether these are the very same numbers, in the same place.
    pub fn is_same(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.values, &other.values)
    }
}

impl<F> From<Vec<F>> for Fixed<F> {
    fn from(values: Vec<F>) -> Self {
        Self::stored_as(values, Stored::F32)
    }
}

impl<F> Deref for Fixed<F> {
    type Target = Vec<F>;
    fn deref(&self) -> &Vec<F> {
        &self.values
    }
}

#[cfg(test)]
mod tests {
    use half::{bf16, f16};

    use super::*;

    /// Every number there is of 16 bits comes back as it was, zeros with their signs.
    #[test]
    fn numbers_of_16_bits_come_back_from_a_device() {
        let all = |value: fn(u16) -> f32| (0..=u16::MAX).map(value).filter(|v| v.is_finite()).collect::<Vec<f32>>();
        let brain = all(|bits| bf16::from_bits(bits).to_f32());
        let mut half = all(|bits| f16::from_bits(bits).to_f32());
        half.retain(|v| v.abs() < F16_END);
        assert!(half.contains(&f16::from_bits(1).to_f32()) && half.contains(&127.9375));
        for (stored, values) in [(Stored::F32, &half), (Stored::Bf16, &brain), (Stored::F16, &half)] {
            let bytes = stored.bytes(values);
            assert_eq!(bytes.len(), stored.size() * values.len());
            let back = stored.values(&bytes);
            assert!(back.iter().zip(values).all(|(a, b)| a.to_bits() == b.to_bits()), "{stored:?}");
        }
        let mut own = Fixed::stored_as(vec![1.0], Stored::Bf16);
        own.to_mut()[0] = 0.1;
        assert_eq!(own.stored(), Stored::F32);
    }
}
