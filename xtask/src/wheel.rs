//! The Python package for notebooks: the wheel, which holds the built page, and the environment that it is tested in.

use std::{fs, path::PathBuf, process::Command};

use crate::{
    page,
    shell::{Result, run, stage, target_dir, which},
};

const WHEELS: &str = "wheel";

pub fn wheel() -> Result {
    page::build()?;
    make().map(|wheel| println!("  {}", wheel.display()))
}

/// The environment with the wheel of the page in dist/, and what its tests need; where its programs are.
pub fn for_tests() -> Result<PathBuf> {
    let wheel = make()?;
    let mut install = pip();
    run(install.args(["--force-reinstall", "--no-deps"]).arg(wheel))?;
    Ok(programs())
}

/// Tests of the package that need no browser.
pub fn test() -> Result {
    run(Command::new(python()).args(["-m", "unittest", "discover", "-s", "python/tests"]))
}

fn make() -> Result<PathBuf> {
    environment()?;
    let place = target_dir().join(WHEELS);
    // What an older version left would be found too.
    let _ = fs::remove_dir_all(&place);
    let build = ["-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir"];
    run(Command::new(python()).args(build).arg(&place).arg("./python"))?;
    let mut files = fs::read_dir(&place).map_err(|e| format!("cannot list {}: {e}", place.display()))?.flatten();
    files.next().map(|file| file.path()).ok_or_else(|| format!("there is no wheel in {}", place.display()))
}

/// What python/requirements.txt names, in an environment of its own.
fn environment() -> Result {
    let modified = |file: PathBuf| fs::metadata(file).and_then(|data| data.modified()).ok();
    let done = place().join("installed");
    if modified(done.clone()).is_some_and(|at| Some(at) >= modified("python/requirements.txt".into())) {
        return Ok(());
    }
    let Some(python) = ["python3", "python"].into_iter().find_map(which) else {
        return Err(
            "there is no python3 on PATH, which the package for notebooks is built with; install Python 3.9 or later"
                .into(),
        );
    };
    stage("installing JupyterLab for the package's tests", "half a minute", || {
        run(Command::new(python).args(["-m", "venv"]).arg(place()))?;
        run(pip().args(["-r", "python/requirements.txt"]))?;
        fs::write(done, "").map_err(|e| format!("cannot write into {}: {e}", place().display()))
    })
}

fn place() -> PathBuf {
    target_dir().join("tools").join("notebook")
}

fn programs() -> PathBuf {
    place().join(if cfg!(windows) { "Scripts" } else { "bin" })
}

fn python() -> PathBuf {
    programs().join("python")
}

fn pip() -> Command {
    let mut pip = Command::new(python());
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    pip
}
