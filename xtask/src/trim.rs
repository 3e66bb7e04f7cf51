//! Files as they are shipped: scripts and style sheets without comments and indentation, WebAssembly without the names of
//! its functions. Knows nothing of what they do.

use std::{fs, path::Path};

use crate::shell::Result;

/// Rewrites the file in place, by the ending of its name; others are left as they are.
pub fn trim(path: &Path) -> Result {
    let say = |error: std::io::Error| format!("{}: {error}", path.display());
    match path.extension().and_then(|e| e.to_str()) {
        Some("wasm") => {
            let bytes = fs::read(path).map_err(say)?;
            let bytes = nameless(&bytes).ok_or_else(|| format!("{} is no WebAssembly", path.display()))?;
            fs::write(path, bytes).map_err(say)
        }
        Some("js") => fs::read_to_string(path).and_then(|text| fs::write(path, script(&text))).map_err(say),
        Some("css") => fs::read_to_string(path).and_then(|text| fs::write(path, sheet(&text))).map_err(say),
        _ => Ok(()),
    }
}

/// Our own scripts have comments on lines of their own, and no text that goes over lines.
fn script(text: &str) -> String {
    lines(text, |line| !line.starts_with("//"))
}

fn sheet(text: &str) -> String {
    let mut parts = text.split("/*");
    let mut out = parts.next().unwrap_or_default().to_owned();
    parts.for_each(|part| out += part.split_once("*/").map_or("", |(_, rest)| rest));
    lines(&out, |_| true)
}

fn lines(text: &str, keep: impl Fn(&str) -> bool) -> String {
    let kept: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty() && keep(line)).collect();
    kept.join("\n") + "\n"
}

/// Without the custom sections that only tools read. `None` for what is no module.
fn nameless(bytes: &[u8]) -> Option<Vec<u8>> {
    let (head, mut rest) = bytes.split_at_checked(8)?;
    let mut out = head.strip_prefix(b"\0asm").map(|_| head.to_vec())?;
    while let Some((&kind, after)) = rest.split_first() {
        let (size, body) = number(after)?;
        let (body, next) = body.split_at_checked(size)?;
        let name = if kind == 0 { number(body).and_then(|(size, text)| text.get(..size)) } else { None };
        if !matches!(name, Some(b"name" | b"producers")) {
            out.extend_from_slice(&rest[..rest.len() - next.len()]);
        }
        rest = next;
    }
    Some(out)
}

/// A number of seven bits per byte, and what follows it.
fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let length = 1 + bytes.iter().take(5).position(|byte| byte & 0x80 == 0)?;
    let (digits, rest) = bytes.split_at(length);
    Some((digits.iter().rev().fold(0, |value, byte| value << 7 | usize::from(byte & 0x7f)), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_indentation_go_and_code_stays() {
        assert_eq!(script("// why\nlet a = 1;\n\n  // more\n  f(\"http://x\");\n"), "let a = 1;\nf(\"http://x\");\n");
        assert_eq!(sheet("/* one\n two */\na { b: c; } /* x */\n  d { e: f; }\n"), "a { b: c; }\nd { e: f; }\n");
    }

    #[test]
    fn names_go_and_other_sections_stay() {
        let module = |sections: &[&[u8]]| [&b"\0asm\x01\0\0\0"[..], &sections.concat()].concat();
        let (types, names, other) = (&[1, 2, 9, 9][..], &b"\0\x06\x04name!"[..], &b"\0\x04\x03abc"[..]);
        assert_eq!(nameless(&module(&[types, names, other])), Some(module(&[types, other])));
        assert_eq!(nameless(b"no module"), None);
        assert_eq!(nameless(&module(&[&[1, 9, 0]])), None, "cut short");
        assert_eq!(number(&[0x80, 0x02, 7]), Some((256, &[7][..])));
    }
}
