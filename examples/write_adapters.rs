//! Everything that the product writes from PEFT's reference cases, as files for `tests/fixtures/load_in_peft.py`:
//! `cargo run --example write_adapters -- FOLDER`. Per edit a folder with the adapter and the base merged with it; under
//! `lanes` the lab's own, each with the change that it makes.

#[path = "../tests/common/cases.rs"]
mod cases;
#[path = "../tests/common/lanes_saved.rs"]
mod lanes_saved;
#[path = "../tests/common/peft.rs"]
mod peft;

use std::error::Error;
use std::fs;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(std::env::args().nth(1).ok_or("usage: write_adapters FOLDER")?);
    for written in peft::everything() {
        let folder = out.join(written.case).join(written.edit);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("adapter_model.safetensors"), &written.adapter)?;
        fs::write(folder.join("adapter_config.json"), &written.config)?;
        fs::write(folder.join("merged.safetensors"), peft::merged(written.case, &written.open()))?;
    }
    for saved in lanes_saved::saved() {
        let folder = out.join("lanes").join(saved.name);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("adapter_model.safetensors"), &saved.files.adapter)?;
        fs::write(folder.join("adapter_config.json"), &saved.files.config)?;
        fs::write(folder.join("base.safetensors"), &saved.base)?;
        fs::write(folder.join("changes.json"), serde_json::to_string(&saved.changes)?)?;
    }
    Ok(())
}
