//! Shaders as they are shipped: without comments, and with what they import.
//!
//! A line `#import lib/step, lib/tiles` asks for `shaders/lib/step.wgsl` and `shaders/lib/tiles.wgsl`; what is imported may
//! import. Each file stands once, behind the text that asks for it, so that a compiler's message still names the right line
//! of the file. naga_oil does as much and more, but as a compiler of its own that writes
//! the shader anew: line numbers and constants of the pipeline do not survive that.
//!
//! `#import frozen` is left standing: which file of `shaders/frozen/` it is depends on how the weight at hand is stored, and is
//! known where a pipeline is made (`Kernel::text`).

use std::{env, error::Error, fs, path::Path};

const LEFT: &str = "#import frozen";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=shaders");
    let out = env::var("OUT_DIR")?;
    fs::create_dir_all(Path::new(&out).join("frozen"))?;
    for folder in ["", "frozen/"] {
        for entry in fs::read_dir(format!("shaders/{folder}"))? {
            let path = entry?.path();
            if let Some(name) = path.file_stem().and_then(|name| name.to_str()).filter(|_| path.is_file()) {
                let name = format!("{folder}{name}");
                fs::write(Path::new(&out).join(&name).with_extension("wgsl"), complete(&name)?)?;
            }
        }
    }
    Ok(())
}

/// The text of a shader, and of all that it imports.
fn complete(name: &str) -> Result<String, String> {
    let mut files = vec![format!("shaders/{name}.wgsl")];
    let mut text = String::new();
    let mut next = 0;
    while let Some(file) = files.get(next).cloned() {
        let source = fs::read_to_string(&file).map_err(|error| format!("{file}: {error}"))?;
        for (number, line) in (1..).zip(source.lines()) {
            // WGSL has no strings, so "//" always begins a comment.
            let code = line.split("//").next().unwrap_or_default().trim_end();
            let imports = code.strip_prefix("#import ").filter(|_| code != LEFT);
            for import in imports.iter().flat_map(|names| names.split(',')) {
                let import = format!("shaders/{}.wgsl", import.trim());
                if !Path::new(&import).is_file() {
                    return Err(format!("{file}:{number}: there is no {import} to import"));
                }
                if !files.contains(&import) {
                    files.push(import);
                }
            }
            text.push_str(if imports.is_some() { "" } else { code });
            text.push('\n');
        }
        next += 1;
    }
    Ok(text)
}
