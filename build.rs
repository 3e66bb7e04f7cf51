//! Shaders as they are shipped: without comments, indentation and spaces that separate nothing, line for line, so that a
//! compiler's message still names the right line of the file.

use std::{env, error::Error, fs, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=shaders");
    let out = env::var("OUT_DIR")?;
    for entry in fs::read_dir("shaders")? {
        let path = entry?.path();
        let Some(name) = path.file_name().filter(|_| path.extension().is_some_and(|e| e == "wgsl")) else { continue };
        let source = fs::read_to_string(&path)?;
        // WGSL has no strings, so "//" always begins a comment.
        let code = |line: &str| tight(line.split("//").next().unwrap_or_default().trim());
        let lines: Vec<String> = source.lines().map(code).collect();
        fs::write(Path::new(&out).join(name), lines.join("\n"))?;
    }
    Ok(())
}

/// A line without spaces beside signs that end a word by themselves. Those beside - stay: `a - -b` needs one. So would
/// `a / *b` and `a & &b`, which no shader has: the tests validate what comes out here.
fn tight(line: &str) -> String {
    let parts = |c: char| "=*+/<>&|,;:(){}".contains(c);
    let mut out = String::new();
    let mut rest = line.chars().peekable();
    while let Some(c) = rest.next() {
        let idle = c == ' ' && (out.ends_with(parts) || rest.peek().is_none_or(|&next| parts(next)));
        if !idle {
            out.push(c);
        }
    }
    out
}
