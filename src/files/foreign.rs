//! Files that are often taken for something else, told by their first bytes: what each is, and what to do next. Knows nothing of
//! what was hoped for beyond that.

use crate::lang::{marked, said, tr};

/// As many bytes of a file as are looked at.
pub const LOOKED_AT: usize = 256;

const POINTER: &str = marked!(
    "is a Git LFS pointer, a few lines in place of the file itself; run \"git lfs pull\" where it came from, or download the file from its page"
);
const PYTORCH: &str = marked!(
    "is one of PyTorch's files (.bin, .pt, .ckpt), which can run code when opened and are not opened here; load it with torch.load(..., weights_only=True) and save it with safetensors.torch.save_file"
);
const PAGE: &str = marked!(
    "is a web page, not the file: the download was refused or needs a login; open its address in a browser, sign in, and download it from there"
);
const JSON: &str = marked!(
    "is JSON, where the tensors should be: a configuration, an index, or a server's answer; choose the .safetensors file beside it"
);
const PACKED: &str = marked!("is packed; unpack it first");

/// How an archive begins, as PyTorch's files are: a length that a large file allows.
pub const ARCHIVE: &[u8] = b"PK\x03\x04";

/// Beginnings, and what begins so.
const BEGINNINGS: &[(&[u8], &str)] = &[
    (b"version https://git-lfs", POINTER),
    (ARCHIVE, PYTORCH),
    (b"\x80\x02", PYTORCH),
    (b"\x80\x03", PYTORCH),
    (b"\x80\x04", PYTORCH),
    (b"\x80\x05", PYTORCH),
    (b"GGUF", marked!("is a GGUF file of llama.cpp; choose the safetensors file that it was converted from")),
    (b"ggla", marked!("is an adapter of llama.cpp's; choose the safetensors file that it was converted from")),
    (b"\x89HDF", marked!("is an HDF5 file of Keras or TensorFlow; save it as safetensors")),
    (b"\x93NUMPY", marked!("is an array of NumPy's; save it as safetensors, with safetensors.numpy.save_file")),
    (b"\x1f\x8b", marked!("is packed with gzip; unpack it first")),
    (b"Rar!", PACKED),
    (b"7z\xbc\xaf", PACKED),
];

/// What a file is in place of one of tensors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Foreign {
    /// Of a kind that is known, in words.
    Kind(&'static str),
    /// Text of no known kind, which begins so.
    Text(String),
}

impl Foreign {
    /// What it is, and what to do next.
    pub fn said(&self) -> String {
        match self {
            Self::Kind(what) => said(what),
            Self::Text(first) => {
                tr!("is text, \"{first}\", where the tensors should be; download the file again", first)
            }
        }
    }
}

/// What a file that begins so is, where it is known and no file of tensors.
pub fn recognised(start: &[u8]) -> Option<Foreign> {
    // A header's length is eight bytes, of which real ones leave the upper five 0, and "{" follows.
    if start.len() > 8 && start[4..8] == [0; 4] && start[8] == b'{' {
        return None;
    }
    if let Some((_, what)) = BEGINNINGS.iter().find(|(begins, _)| start.starts_with(begins)) {
        return Some(Foreign::Kind(what));
    }
    let text = std::str::from_utf8(start.strip_prefix(MARK).unwrap_or(start));
    let text = match text {
        Ok(text) => text,
        // Cut in the middle of a letter.
        Err(error) if error.error_len().is_none() => std::str::from_utf8(&start[..error.valid_up_to()]).unwrap_or(""),
        Err(_) => return None,
    };
    let text = text.trim_start();
    let lower = text.get(..text.len().min(64)).unwrap_or("").to_ascii_lowercase();
    if ["<!doctype", "<html", "<?xml", "<head", "<body", "<error"].iter().any(|tag| lower.starts_with(tag)) {
        return Some(Foreign::Kind(PAGE));
    }
    if text.starts_with('{') || text.starts_with('[') {
        return Some(Foreign::Kind(JSON));
    }
    let plain = |c: char| !c.is_control() || matches!(c, '\n' | '\r' | '\t');
    if text.len() >= 4 && text.chars().all(plain) {
        let first: String = text.lines().next().unwrap_or("").chars().take(60).collect();
        return Some(Foreign::Text(first));
    }
    None
}

/// What some editors put before a text.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// A text that should be JSON, without a byte order mark; or what it is instead.
pub fn json(text: &[u8]) -> std::result::Result<&[u8], String> {
    let text = text.strip_prefix(MARK).unwrap_or(text);
    if text.starts_with(b"\xff\xfe") || text.starts_with(b"\xfe\xff") {
        return Err(tr!("is UTF-16, as some editors save text; save it as UTF-8"));
    }
    let first = text.iter().find(|byte| !byte.is_ascii_whitespace());
    match first {
        None => Err(tr!("is empty; download it again")),
        Some(b'{' | b'[') => Ok(text),
        Some(_) => match recognised(&text[..text.len().min(LOOKED_AT)]) {
            Some(kind @ Foreign::Kind(_)) => Err(kind.said()),
            // What is wrong with a text is said by whoever reads it as JSON.
            Some(Foreign::Text(_)) | None => Ok(text),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_for_tensors_is_named() {
        for (start, says) in [
            (&b"version https://git-lfs.github.com/spec/v1\noid sha256:aa"[..], "git lfs pull"),
            (b"PK\x03\x04\0\0\0\0\0\0", "torch.load"),
            (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M", "torch.load"),
            (b"GGUF\x03\0\0\0", "llama.cpp"),
            (b"\n<!DOCTYPE html><html>", "sign in"),
            (b"\xef\xbb\xbf<HTML>", "web page"),
            (b"{\"peft_type\": \"LORA\"}", "JSON"),
            (b"Access to model x is restricted.", "\"Access to model x is restricted.\""),
        ] {
            assert!(recognised(start).is_some_and(|what| what.said().contains(says)), "{start:?}");
        }
        // Any length may stand before a header, those of these letters too.
        assert_eq!(recognised(b"{\"ab\0\0\0\0{}"), None);
        assert_eq!(recognised(b"\x40\0\0\0\0\0\0\0{\"a\""), None);
        assert_eq!(recognised(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]), None);
    }

    #[test]
    fn a_mark_before_json_is_ignored() {
        assert_eq!(json(b"\xef\xbb\xbf{}"), Ok(&b"{}"[..]));
        assert!(json(b"\xff\xfe{\0}\0").unwrap_err().contains("UTF-8"));
        assert!(json(b" \n").unwrap_err().contains("empty"));
        assert!(json(b"version https://git-lfs.github.com/spec/v1").unwrap_err().contains("git lfs pull"));
    }
}
