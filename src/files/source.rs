//! Where bytes come from and go to: memory, a native file, or, in the browser, a slice of a `Blob`. Knows nothing of
//! what they mean.

use std::future::Future;
use std::rc::Rc;

use super::broken;
use crate::error::Result;
use crate::lang::tr;

/// Bytes that are read in ranges.
pub trait Source {
    /// For messages.
    fn name(&self) -> &str;
    fn size(&self) -> u64;
    /// The bytes `start .. start + length`; only ever asked for within the size.
    fn read(&self, start: u64, length: usize) -> impl Future<Output = Result<Vec<u8>>>;
}

/// Where a written file goes, in order.
pub trait Sink {
    fn write(&mut self, bytes: &[u8]) -> impl Future<Output = Result<()>>;
}

/// A whole file held in memory.
#[derive(Clone, Debug)]
pub struct Memory {
    name: String,
    bytes: Rc<[u8]>,
}

impl Memory {
    pub fn new(name: &str, bytes: impl Into<Rc<[u8]>>) -> Self {
        Self { name: name.to_owned(), bytes: bytes.into() }
    }
}

impl Source for Memory {
    fn name(&self) -> &str {
        &self.name
    }
    fn size(&self) -> u64 {
        self.bytes.len() as u64
    }
    async fn read(&self, start: u64, length: usize) -> Result<Vec<u8>> {
        let start = usize::try_from(start).unwrap_or(usize::MAX);
        let range = start.checked_add(length).and_then(|end| self.bytes.get(start..end));
        range.map(<[u8]>::to_vec).ok_or_else(|| broken(&self.name, tr!("a read beyond the end")))
    }
}

impl Sink for Vec<u8> {
    async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.extend_from_slice(bytes);
        Ok(())
    }
}

#[cfg(not(target_arch = "wasm32"))]
pub use native::Disk;

#[cfg(not(target_arch = "wasm32"))]
mod native {
    use std::cell::RefCell;
    use std::fs::File;
    use std::io::{self, Read, Seek, SeekFrom, Write};
    use std::path::Path;

    use super::{Result, Sink, Source, broken, tr};

    /// A file on disk, as a source or a sink.
    #[derive(Debug)]
    pub struct Disk {
        name: String,
        size: u64,
        file: RefCell<File>,
    }

    impl Disk {
        /// # Errors
        /// `Error::File` where it cannot be opened.
        pub fn open(path: &Path) -> Result<Self> {
            Self::with(path, File::open(path))
        }

        /// # Errors
        /// `Error::File` where it cannot be created.
        pub fn create(path: &Path) -> Result<Self> {
            Self::with(path, File::create(path))
        }

        fn with(path: &Path, file: io::Result<File>) -> Result<Self> {
            let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
            let opened = file.and_then(|file| file.metadata().map(|meta| (meta.len(), file)));
            let (size, file) = opened.map_err(|e| broken(&name, tr!("cannot be opened: {e}", e)))?;
            Ok(Self { name, size, file: RefCell::new(file) })
        }
    }

    impl Source for Disk {
        fn name(&self) -> &str {
            &self.name
        }
        fn size(&self) -> u64 {
            self.size
        }
        async fn read(&self, start: u64, length: usize) -> Result<Vec<u8>> {
            let mut file = self.file.borrow_mut();
            let mut bytes = vec![0; length];
            let read = file.seek(SeekFrom::Start(start)).and_then(|_| file.read_exact(&mut bytes));
            read.map_err(|e| broken(&self.name, tr!("cannot be read: {e}", e)))?;
            Ok(bytes)
        }
    }

    impl Sink for Disk {
        async fn write(&mut self, bytes: &[u8]) -> Result<()> {
            let written = self.file.get_mut().write_all(bytes);
            written.map_err(|e| broken(&self.name, tr!("cannot be written: {}", e)))
        }
    }
}
