//! Files that are often taken for something else, told by their first bytes: what each is, and what to do next. Knows nothing of
//! what was hoped for beyond that.

/// As many bytes of a file as are looked at.
pub const LOOKED_AT: usize = 256;

const POINTER: &str = "is a Git LFS pointer, a few lines in place of the file itself; run \"git lfs pull\" where it came from, or \
                       download the file from its page";
const PYTORCH: &str = "is one of PyTorch's files (.bin, .pt, .ckpt), which can run code when opened and are not opened here; load it \
                       with torch.load(..., weights_only=True) and save it with safetensors.torch.save_file";
const PAGE: &str = "is a web page, not the file: the download was refused or needs a login; open its address in a browser, sign \
                    in, and download it from there";

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
    (b"GGUF", "is a GGUF file of llama.cpp; choose the safetensors file that it was converted from"),
    (b"ggla", "is an adapter of llama.cpp's; choose the safetensors file that it was converted from"),
    (b"\x89HDF", "is an HDF5 file of Keras or TensorFlow; save it as safetensors"),
    (b"\x93NUMPY", "is an array of NumPy's; save it as safetensors, with safetensors.numpy.save_file"),
    (b"\x1f\x8b", "is packed with gzip; unpack it first"),
    (b"Rar!", "is packed; unpack it first"),
    (b"7z\xbc\xaf", "is packed; unpack it first"),
];

/// What a file that begins so is, where it is known and no file of tensors.
pub fn recognised(start: &[u8]) -> Option<String> {
    // A header's length is eight bytes, of which real ones leave the upper five 0, and "{" follows.
    if start.len() > 8 && start[4..8] == [0; 4] && start[8] == b'{' {
        return None;
    }
    if let Some((_, what)) = BEGINNINGS.iter().find(|(begins, _)| start.starts_with(begins)) {
        return Some((*what).to_owned());
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
        return Some(PAGE.to_owned());
    }
    if text.starts_with('{') || text.starts_with('[') {
        let what = "is JSON, where the tensors should be: a configuration, an index, or a server's answer";
        return Some(format!("{what}; choose the .safetensors file beside it"));
    }
    let plain = |c: char| !c.is_control() || matches!(c, '\n' | '\r' | '\t');
    if text.len() >= 4 && text.chars().all(plain) {
        let first: String = text.lines().next().unwrap_or("").chars().take(60).collect();
        return Some(format!("is text, \"{first}\", where the tensors should be; download the file again"));
    }
    None
}

/// What some editors put before a text.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// A text that should be JSON, without a byte order mark; or what it is instead.
pub fn json(text: &[u8]) -> std::result::Result<&[u8], String> {
    let text = text.strip_prefix(MARK).unwrap_or(text);
    if text.starts_with(b"\xff\xfe") || text.starts_with(b"\xfe\xff") {
        return Err("is UTF-16, as some editors save text; save it as UTF-8".into());
    }
    let first = text.iter().find(|byte| !byte.is_ascii_whitespace());
    match first {
        None => Err("is empty; download it again".into()),
        Some(b'{' | b'[') => Ok(text),
        Some(_) => recognised(&text[..text.len().min(LOOKED_AT)])
            .filter(|what| !what.starts_with("is text"))
            .map_or(Ok(text), Err),
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
            assert!(recognised(start).is_some_and(|what| what.contains(says)), "{start:?}");
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
