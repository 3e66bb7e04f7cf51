//! Everything that the product writes from PEFT's reference cases, as files for `tests/fixtures/load_in_peft.py`:
//! `cargo run --example write_adapters -- FOLDER`. Per edit a folder with the adapter and the base merged with it.

#[path = "../tests/common/cases.rs"]
mod cases;
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
    Ok(())
}
