//! Shaders as they are shipped: without comments and indentation, line for line, so that a compiler's message still names
//! the right line of the file.

use std::{env, error::Error, fs, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=shaders");
    let out = env::var("OUT_DIR")?;
    for entry in fs::read_dir("shaders")? {
        let path = entry?.path();
        let Some(name) = path.file_name().filter(|_| path.extension().is_some_and(|e| e == "wgsl")) else { continue };
        let source = fs::read_to_string(&path)?;
        // WGSL has no strings, so "//" always begins a comment.
        let code = |line: &str| line.split("//").next().unwrap_or_default().trim().to_owned();
        let lines: Vec<String> = source.lines().map(code).collect();
        fs::write(Path::new(&out).join(name), lines.join("\n"))?;
    }
    Ok(())
}
