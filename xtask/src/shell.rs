//! Running other programs: stages with their durations, commands that fail loudly, programs looked up on PATH.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

pub type Result<T = ()> = std::result::Result<T, String>;

/// Works from the repository's root, whatever directory cargo was called in.
pub fn enter_root() -> Result {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = manifest.parent().unwrap_or(manifest);
    env::set_current_dir(root).map_err(|e| format!("cannot enter {}: {e}", root.display()))
}

/// Says what is about to be done and about how long it takes, does it, and says how long it took.
pub fn stage<T>(what: &str, estimate: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    println!("\n▸ {what} ({estimate})");
    let begun = Instant::now();
    let result = work();
    let seconds = begun.elapsed().as_secs_f64();
    match &result {
        Ok(_) => println!("  {what}: done in {seconds:.1} s"),
        Err(error) => println!("  {what}: failed after {seconds:.1} s: {error}"),
    }
    result
}

/// A command from words separated by spaces; arguments that hold spaces are added by the caller.
pub fn command(words: &str) -> Command {
    let mut words = words.split_whitespace();
    let mut command = Command::new(words.next().unwrap_or_default());
    command.args(words);
    command
}

pub fn run(command: &mut Command) -> Result {
    println!("  $ {}", shown(command));
    let status = command.status().map_err(|e| format!("`{}` cannot be started: {e}", shown(command)))?;
    if status.success() { Ok(()) } else { Err(format!("`{}` ended with {status}", shown(command))) }
}

/// Standard output of a command, or `None` if it cannot be started or fails: for asking after versions.
pub fn ask(words: &str) -> Option<String> {
    let output = command(words).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

pub fn which(program: &str) -> Option<PathBuf> {
    let name = format!("{program}{}", env::consts::EXE_SUFFIX);
    env::split_paths(&env::var_os("PATH")?).map(|dir| dir.join(&name)).find(|path| path.is_file())
}

/// PATH with `dir` in front, for commands that must find a tool kept there.
pub fn path_with(dir: &Path) -> OsString {
    let path = env::var_os("PATH").unwrap_or_default();
    let dirs = std::iter::once(dir.to_path_buf()).chain(env::split_paths(&path));
    env::join_paths(dirs).unwrap_or(path)
}

/// Where cargo builds, whether or not CARGO_TARGET_DIR says so.
pub fn target_dir() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from)
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
