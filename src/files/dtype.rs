//! Number formats of stored tensors: their sizes, and those that hold weights decoded to f32 and encoded from it, with
//! rounding to nearest even, as PyTorch converts. Knows nothing of files.

use std::fmt;

use half::{bf16, f16};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::fixed::Stored;

/// A tensor's stored format, named as safetensors names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dtype {
    F64,
    F32,
    F16,
    Bf16,
    /// No infinities; largest value 448.
    F8E4M3,
    F8E5M2,
    /// Whole numbers, booleans, block formats: carried along, never decoded. Bits per element.
    Other(&'static str, u8),
}

const OTHERS: &[(&str, u8)] = &[
    ("BOOL", 8),
    ("U8", 8),
    ("I8", 8),
    ("U16", 16),
    ("I16", 16),
    ("U32", 32),
    ("I32", 32),
    ("U64", 64),
    ("I64", 64),
    ("C64", 64),
    ("F8_E8M0", 8),
    ("F8_E4M3FNUZ", 8),
    ("F8_E5M2FNUZ", 8),
    ("F4", 4),
    ("F6_E2M3", 6),
    ("F6_E3M2", 6),
];

impl Dtype {
    /// `None` where safetensors has no such format.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "F64" => Self::F64,
            "F32" => Self::F32,
            "F16" => Self::F16,
            "BF16" => Self::Bf16,
            "F8_E4M3" => Self::F8E4M3,
            "F8_E5M2" => Self::F8E5M2,
            _ => OTHERS.iter().find(|(other, _)| *other == name).map(|&(name, bits)| Self::Other(name, bits))?,
        })
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::F64 => "F64",
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::Bf16 => "BF16",
            Self::F8E4M3 => "F8_E4M3",
            Self::F8E5M2 => "F8_E5M2",
            Self::Other(name, _) => name,
        }
    }

    pub fn bits(self) -> u8 {
        match self {
            Self::F64 => 64,
            Self::F32 => 32,
            Self::F16 | Self::Bf16 => 16,
            Self::F8E4M3 | Self::F8E5M2 => 8,
            Self::Other(_, bits) => bits,
        }
    }

    /// How a device stores values of this format; all others as 32-bit numbers.
    pub fn stored(self) -> Stored {
        match self {
            Self::F16 => Stored::F16,
            Self::Bf16 => Stored::Bf16,
            _ => Stored::F32,
        }
    }

    /// Values are numbers that can be computed with.
    pub fn is_float(self) -> bool {
        !matches!(self, Self::Other(..))
    }

    /// Bytes of one value; 0 for formats that are not decoded.
    pub fn bytes(self) -> usize {
        if self.is_float() { usize::from(self.bits()) / 8 } else { 0 }
    }

    /// Little-endian bytes as values; F64 is rounded to f32. Nothing for formats that hold no weights.
    pub fn decode(self, bytes: &[u8]) -> Vec<f32> {
        match self {
            Self::F64 => words(bytes, |b: [u8; 8]| f64::from_le_bytes(b) as f32),
            Self::F32 => words(bytes, f32::from_le_bytes),
            Self::F16 => words(bytes, |b| f16::from_le_bytes(b).to_f32()),
            Self::Bf16 => words(bytes, |b| bf16::from_le_bytes(b).to_f32()),
            Self::F8E4M3 => bytes.iter().map(|&b| from_e4m3(b)).collect(),
            Self::F8E5M2 => bytes.iter().map(|&b| from_e5m2(b)).collect(),
            Self::Other(..) => Vec::new(),
        }
    }

    /// Values as little-endian bytes, rounded to nearest even. Nothing for formats that hold no weights.
    pub fn encode(self, values: &[f32]) -> Vec<u8> {
        match self {
            Self::F64 => values.iter().flat_map(|&v| f64::from(v).to_le_bytes()).collect(),
            Self::F32 => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            Self::F16 => values.iter().flat_map(|&v| f16::from_f32(v).to_le_bytes()).collect(),
            Self::Bf16 => values.iter().flat_map(|&v| bf16::from_f32(v).to_le_bytes()).collect(),
            Self::F8E4M3 => values.iter().map(|&v| to_byte(v, from_e4m3, 0x7e, 0x7f)).collect(),
            Self::F8E5M2 => values.iter().map(|&v| to_byte(v, from_e5m2, 0x7b, 0x7c)).collect(),
            Self::Other(..) => Vec::new(),
        }
    }
}

/// By its name, so that it reads the same anywhere.
impl Serialize for Dtype {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Dtype {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::parse(&name).ok_or_else(|| D::Error::custom(format!("{name} is no format of tensors")))
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

fn words<const N: usize>(bytes: &[u8], value: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    bytes.as_chunks::<N>().0.iter().map(|&chunk| value(chunk)).collect()
}

/// The upper half of an F16.
fn from_e5m2(byte: u8) -> f32 {
    f16::from_le_bytes([0, byte]).to_f32()
}

fn from_e4m3(byte: u8) -> f32 {
    let sign = u32::from(byte & 0x80) << 24;
    let (exponent, mantissa) = (u32::from(byte >> 3 & 0xf), u32::from(byte & 7));
    match (exponent, mantissa) {
        (0xf, 7) => f32::NAN,
        (0, _) => f32::from_bits((mantissa as f32 / 512.0).to_bits() | sign),
        _ => f32::from_bits(sign | (exponent + 120) << 23 | mantissa << 20),
    }
}

/// The nearest of a format's numbers `0..=largest`, which grow with their code; `beyond` is the code of what is too
/// large, and of NaN.
fn to_byte(value: f32, decode: impl Fn(u8) -> f32, largest: u8, beyond: u8) -> u8 {
    let sign = if value.is_sign_negative() { 0x80 } else { 0 };
    let magnitude = value.abs();
    if magnitude.is_nan() {
        return sign | 0x7f;
    }
    let (mut low, mut high) = (0, largest);
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        if decode(middle) <= magnitude { low = middle } else { high = middle - 1 }
    }
    let step = if low == largest { decode(low) - decode(low - 1) } else { decode(low + 1) - decode(low) };
    let rest = (magnitude - decode(low)) / step;
    let up = rest > 0.5 || rest == 0.5 && low & 1 == 1;
    match (up, low == largest) {
        (true, true) => sign | beyond,
        (true, false) => sign | (low + 1),
        (false, _) => sign | low,
    }
}
