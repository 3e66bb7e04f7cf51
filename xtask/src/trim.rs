//! Files as they are shipped: scripts and style sheets without comments and indentation, style sheets without spaces that
//! separate nothing, WebAssembly without the names of its functions, and short names between it and its glue. Knows nothing
//! of what they do.

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

/// Gives what a module imports from its glue names of a few letters, in both files. wasm-bindgen's own have a hash each,
/// which no compression shortens.
pub fn shorten(glue: &Path, module: &Path) -> Result {
    let say = |path: &Path, error: std::io::Error| format!("{}: {error}", path.display());
    let mut script = fs::read_to_string(glue).map_err(|e| say(glue, e))?;
    let bytes = fs::read(module).map_err(|e| say(module, e))?;
    let (bytes, names) = renamed(&bytes)
        .ok_or_else(|| format!("{} imports something that is no function of its glue", module.display()))?;
    for (long, short) in &names {
        // Each is the key of one function in the glue.
        let key = format!("{long}: function(");
        if script.matches(&key).count() != 1 {
            return Err(format!("{} has no function {long} of its module's", glue.display()));
        }
        script = script.replace(&key, &format!("{short}: function("));
    }
    fs::write(glue, documented(&script)).map_err(|e| say(glue, e))?;
    fs::write(module, bytes).map_err(|e| say(module, e))
}

/// wasm-bindgen's glue without its documentation.
fn documented(text: &str) -> String {
    let comment = |line: &str| ["//", "/**", "* ", "*/"].iter().any(|mark| line.starts_with(mark)) || line == "*";
    lines(text, |line| !comment(line))
}

/// A module, and which of its names became which.
type Renamed = (Vec<u8>, Vec<(String, String)>);

/// The module with short names for the functions that it imports, and which is which.
fn renamed(bytes: &[u8]) -> Option<Renamed> {
    const IMPORTS: u8 = 2;
    let (head, mut rest) = bytes.split_at_checked(8)?;
    let (mut out, mut names) = (head.to_vec(), Vec::new());
    while let Some((&kind, after)) = rest.split_first() {
        let (size, body) = number(after)?;
        let (mut body, next) = body.split_at_checked(size)?;
        if kind == IMPORTS {
            let (count, entries) = number(body)?;
            body = entries;
            let mut section = digits(count);
            for index in 0..count {
                let (source, after) = text(body)?;
                let (name, after) = text(after)?;
                // What comes straight from a snippet is called as it is there.
                let own = !source.starts_with(b"./snippets/");
                let name = String::from_utf8(name.to_vec()).ok()?;
                let short = if own { format!("_{index}") } else { name.clone() };
                // 0 is a function, whose type follows.
                let (_, after) = number(after.strip_prefix(&[0])?).map(|(value, left)| {
                    for word in [source, short.as_bytes()] {
                        section.extend(digits(word.len()));
                        section.extend(word);
                    }
                    section.push(0);
                    section.extend(digits(value));
                    (value, left)
                })?;
                if own {
                    names.push((name, short));
                }
                body = after;
            }
            out.push(IMPORTS);
            out.extend(digits(section.len()));
            out.extend(section);
        } else {
            out.extend_from_slice(&rest[..rest.len() - next.len()]);
        }
        rest = next;
    }
    Some((out, names))
}

/// A text with its length before it, and what follows.
fn text(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (size, rest) = number(bytes)?;
    rest.split_at_checked(size)
}

/// The inverse of [`number`].
fn digits(mut value: usize) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        let low = (value & 0x7f) as u8;
        value >>= 7;
        out.push(if value > 0 { low | 0x80 } else { low });
        if value == 0 {
            return out;
        }
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
    // Not the space before a colon, which in a selector is a descendant; strings of ours hold none of these.
    const IDLE: [&str; 7] = [": ", ", ", " {", "{ ", "; ", " }", " > "];
    let tight = |text: String, idle: &&str| text.replace(*idle, idle.trim());
    IDLE.iter().fold(lines(&out, |_| true), tight).replace(";}", "}")
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
        assert_eq!(sheet("/* one\n two */\na { b: c; } /* x */\n  d { e: f; }\n"), "a{b:c}\nd{e:f}\n");
        let rule = "a > b :is(c, d) { e: calc(1px - 2px); content: \" x\"; }\n";
        assert_eq!(sheet(rule), "a>b :is(c,d){e:calc(1px - 2px);content:\" x\"}\n");
    }

    #[test]
    fn imports_get_short_names_in_both_files() {
        let imports = b"\x02\x02./\x05__a_1\0\x85\x01\x02./\x05__b_2\0\x07";
        let short = b"\x02\x02./\x02_0\0\x85\x01\x02./\x02_1\0\x07";
        let module =
            |body: &[u8]| [&b"\0asm\x01\0\0\0\x01\x01\0\x02"[..], &digits(body.len()), body, b"\x03\x01\0"].concat();
        let (bytes, names) = renamed(&module(imports)).unwrap();
        assert_eq!(bytes, module(short));
        assert_eq!(names, [("__a_1".into(), "_0".into()), ("__b_2".into(), "_1".into())]);
        // A memory is no function.
        assert_eq!(renamed(&module(b"\x01\x02./\x01m\x02\0\x01")), None);
        let snippet = b"\x01\x0c./snippets/a\x04turn\0\x05";
        assert_eq!(renamed(&module(snippet)), Some((module(snippet), vec![])), "called as it is there");
        assert_eq!(documented("/**\n * Why.\n */\n  a: 1 * 2,\n  // so\n"), "a: 1 * 2,\n");
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
