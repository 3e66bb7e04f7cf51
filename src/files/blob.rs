//! Files as JavaScript hands them over: a `Blob` (or `File`), read through slices, or a `Uint8Array`; and a function that
//! takes what is written. Knows nothing of what is in them.

use js_sys::Uint8Array;
use wasm_bindgen::prelude::*;

use super::{Memory, Sink, Source};
use crate::error::{Error, Result};
use crate::lang::tr;

#[wasm_bindgen]
extern "C" {
    #[derive(Clone, Debug)]
    pub type Blob;
    #[wasm_bindgen(method, getter)]
    fn size(this: &Blob) -> f64;
    /// Of a `File`.
    #[wasm_bindgen(method, getter)]
    fn name(this: &Blob) -> Option<String>;
    #[wasm_bindgen(method)]
    fn slice(this: &Blob, start: f64, end: f64) -> Blob;
    #[wasm_bindgen(method, catch, js_name = arrayBuffer)]
    async fn array_buffer(this: &Blob) -> std::result::Result<JsValue, JsValue>;
}

/// A file that is read in ranges.
#[derive(Clone, Debug)]
pub enum File {
    Blob { name: String, blob: Blob },
    Memory(Memory),
}

impl File {
    /// `what` names the argument in messages, and the file where it has no name of its own.
    pub fn new(what: &str, value: &JsValue) -> Result<Self> {
        if let Some(bytes) = value.dyn_ref::<Uint8Array>() {
            return Ok(Self::Memory(Memory::new(what, bytes.to_vec())));
        }
        // What `save` gives as a configuration.
        if let Some(text) = value.as_string() {
            return Ok(Self::Memory(Memory::new(what, text.into_bytes())));
        }
        // Blobs of another window, or of Node, are of another class.
        let slice = js_sys::Reflect::get(value, &"slice".into()).is_ok_and(|v| v.is_function());
        let buffer = js_sys::Reflect::get(value, &"arrayBuffer".into()).is_ok_and(|v| v.is_function());
        if value.is_object() && slice && buffer {
            let blob: Blob = value.clone().unchecked_into();
            return Ok(Self::Blob { name: blob.name().unwrap_or_else(|| what.to_owned()), blob });
        }
        Err(Error::Data {
            what: what.into(),
            expected: "a File, Blob, Uint8Array or text".into(),
            got: described(value),
        })
    }

    /// All of it, at most `most` bytes.
    pub async fn text(&self, most: u64) -> Result<Vec<u8>> {
        if self.size() > most {
            let problem = tr!("holds {size} bytes, more than {most}; choose another file", size = self.size(), most);
            return Err(Error::File { file: self.name().to_owned(), problem });
        }
        self.read(0, self.size() as usize).await
    }
}

impl Source for File {
    fn name(&self) -> &str {
        match self {
            Self::Blob { name, .. } => name,
            Self::Memory(memory) => memory.name(),
        }
    }
    fn size(&self) -> u64 {
        match self {
            Self::Blob { blob, .. } => blob.size() as u64,
            Self::Memory(memory) => memory.size(),
        }
    }
    async fn read(&self, start: u64, length: usize) -> Result<Vec<u8>> {
        let (name, blob) = match self {
            Self::Memory(memory) => return memory.read(start, length).await,
            Self::Blob { name, blob } => (name, blob),
        };
        let wrong = |problem: String| Error::File { file: name.clone(), problem };
        let part = blob.slice(start as f64, start as f64 + length as f64).array_buffer().await;
        let bytes = part.map(|buffer| Uint8Array::new(&buffer).to_vec());
        match bytes {
            Ok(bytes) if bytes.len() == length => Ok(bytes),
            Ok(bytes) => {
                let came = bytes.len();
                Err(wrong(tr!("{came} of {length} bytes came; it changed meanwhile: open it again", came, length)))
            }
            Err(error) => Err(wrong(tr!("cannot be read ({}); open it again", described(&error)))),
        }
    }
}

/// A function that is called with each piece, and waited for.
#[derive(Debug)]
pub struct Writes<'a> {
    pub write: &'a js_sys::Function,
    /// Name of the file, its second argument.
    pub file: String,
}

impl Sink for Writes<'_> {
    async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let done = self.write.call2(&JsValue::UNDEFINED, &Uint8Array::from(bytes), &self.file.as_str().into());
        let waited = match done {
            Ok(value) => wasm_bindgen_futures::JsFuture::from(js_sys::Promise::resolve(&value)).await,
            Err(error) => Err(error),
        };
        let failed = |error: JsValue| Error::File {
            file: self.file.clone(),
            problem: tr!("cannot be written: {}", message(&error)),
        };
        waited.map(drop).map_err(failed)
    }
}

/// What a JavaScript error says.
pub fn message(error: &JsValue) -> String {
    error.dyn_ref::<js_sys::Error>().map_or_else(|| described(error), |e| String::from(e.message()))
}

/// A value in words.
pub fn described(value: &JsValue) -> String {
    let name = value.dyn_ref::<js_sys::Object>().map(|o| String::from(o.constructor().name()));
    name.unwrap_or_else(|| match value.js_typeof().as_string() {
        Some(kind) if kind == "undefined" => "nothing".into(),
        Some(kind) => format!("{kind} {value:?}"),
        None => format!("{value:?}"),
    })
}
