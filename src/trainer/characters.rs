//! Tokens as a person reads them: whole characters, and names for what cannot be seen. Knows no model.

use crate::task::text::Tokenizer;

/// Tokens gathered to whole characters, and how many each took; bytes that make none are shown as numbers.
pub fn characters(tokens: &[u32], tokenizer: &Tokenizer) -> Vec<(String, usize)> {
    let mut out = Vec::new();
    let (mut pending, mut count) = (Vec::new(), 0);
    for (at, &token) in tokens.iter().enumerate() {
        pending.extend(tokenizer.bytes_of(token));
        count += 1;
        let more = matches!(std::str::from_utf8(&pending), Err(error) if error.error_len().is_none());
        if more && at + 1 < tokens.len() {
            continue;
        }
        out.push((shown_plain(&pending), count));
        (pending, count) = (Vec::new(), 0);
    }
    out
}

fn shown_plain(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|byte| format!("\u{FFFD}{byte:02X}")).collect(),
    }
}

/// A token as text by itself: what cannot be seen by name, what is no character by its bytes.
pub fn shown(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(" ") => "␠".into(),
        Ok("\n") => "␤".into(),
        Ok(text) if !text.chars().any(char::is_control) => text.to_owned(),
        _ => bytes.iter().map(|byte| format!("0x{byte:02X}")).collect::<Vec<_>>().join(" "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_are_whole() {
        let tokens = Tokenizer::Bytes.encode("aé人");
        assert_eq!(characters(&tokens, &Tokenizer::Bytes), [("a".into(), 1), ("é".into(), 2), ("人".into(), 3)]);
        // A passage may begin and end within a character.
        assert_eq!(
            characters(&tokens[2..5], &Tokenizer::Bytes),
            [("\u{FFFD}A9".into(), 1), ("\u{FFFD}E4\u{FFFD}BA".into(), 2)]
        );
        assert_eq!(shown(b" "), "␠");
        assert_eq!(shown(&[0xC3]), "0xC3");
    }
}
