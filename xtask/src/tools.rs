//! What the commands need, each reused when present, else installed where that can be done, else asked for in words.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::shell::{Result, ask, command, path_with, run, stage, target_dir, which};

const WASM: &str = "wasm32-unknown-unknown";
const WASM_PACK: &str = "0.15.1";

/// Everything that the page is built with: wasm target, the wasm-bindgen that Cargo.lock asks for, and the crates.
pub fn for_page() -> Result {
    wasm_target()?;
    wasm_bindgen()?;
    crates()
}

/// Everything that the npm package is built and tested with in Rust.
pub fn for_package() -> Result {
    wasm_target()?;
    cargo_tool("wasm-pack", WASM_PACK, "about 2 minutes on two cores")?;
    wasm_bindgen()?;
    crates()
}

/// wasm-pack, finding the right wasm-bindgen first.
pub fn with_tools(mut command: Command) -> Command {
    command.env("PATH", path_with(&own_bin()));
    command
}

fn wasm_target() -> Result {
    let Some(sysroot) = ask("rustc --print sysroot") else {
        return Err("there is no rustc on PATH; install Rust from https://rustup.rs".into());
    };
    if Path::new(sysroot.trim()).join("lib/rustlib").join(WASM).join("lib").is_dir() {
        return Ok(());
    }
    stage("adding Rust's wasm target", "some seconds", || run(&mut command(&format!("rustup target add {WASM}"))))
        .map_err(|error| {
            format!(
                "{error}\n\nWithout rustup's target, Debian's compiler can build it (about a minute): install rustc-web, \
                 cargo-web and rust-web-src, run\n  RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 /usr/bin/cargo build --release \
                 --target {WASM} -Zbuild-std=std,panic_abort,panic_unwind,test\nin any small crate, copy the .rlib files to \
                 /usr/lib/rustlib/{WASM}/lib/, link rustup's rust-lld into \
                 /usr/lib/rustlib/x86_64-unknown-linux-gnu/bin/, then `rustup toolchain link debian /usr` and \
                 `export RUSTUP_TOOLCHAIN=debian`."
            )
        })
}

fn cargo_tool(name: &str, version: &str, estimate: &str) -> Result {
    if which(name).is_some() {
        return Ok(());
    }
    stage(&format!("installing {name} {version} from source"), estimate, || {
        run(install(name).args(["--version", version, "--locked"]))
    })
}

/// Glue and library must be of one version. Another version on PATH is somebody's: it is left alone, and the right one
/// is put beside the build.
fn wasm_bindgen() -> Result {
    let version = locked_version("wasm-bindgen")?;
    let right = |program: &str| {
        ask(&format!("{program} --version"))
            .is_some_and(|said| said.split_whitespace().nth(1) == Some(version.as_str()))
    };
    let own = own_bin().join("wasm-bindgen");
    if right(&own.to_string_lossy()) || right("wasm-bindgen") {
        return Ok(());
    }
    stage(&format!("installing wasm-bindgen {version} from source"), "about 2 minutes on two cores", || {
        let mut install = install("wasm-bindgen-cli");
        install.args(["--version", &version]);
        if which("wasm-bindgen").is_some() {
            install.arg("--root").arg(target_dir().join("tools"));
        }
        run(&mut install)
    })
}

/// A tool of one's own need not be fast, only soon there: a debug build takes a third of a release build's time.
fn install(name: &str) -> Command {
    let mut install = command("cargo install --debug");
    install.arg(name).env("CARGO_TARGET_DIR", target_dir().join("tools-build"));
    install
}

/// The page is built offline, so that nothing is asked of the network behind one's back; the crates are fetched here.
fn crates() -> Result {
    if ask("cargo fetch --locked --offline").is_some() {
        return Ok(());
    }
    stage("fetching crates", "under a minute", || run(&mut command("cargo fetch --locked")))
}

fn own_bin() -> PathBuf {
    let dir = target_dir().join("tools").join("bin");
    std::path::absolute(&dir).unwrap_or(dir)
}

fn locked_version(krate: &str) -> Result<String> {
    let lock = fs::read_to_string("Cargo.lock").map_err(|e| format!("cannot read Cargo.lock: {e}"))?;
    let name = format!("name = \"{krate}\"");
    lock.lines()
        .skip_while(|line| **line != name)
        .find_map(|line| line.strip_prefix("version = "))
        .map(|quoted| quoted.trim_matches('"').to_owned())
        .ok_or_else(|| format!("Cargo.lock names no {krate}"))
}

/// Browser, its driver, and node: what the tests in a browser need.
pub struct Browser {
    pub chromium: PathBuf,
    pub chromedriver: PathBuf,
}

pub fn for_browser() -> Result<Browser> {
    let chromium = || ["chromium", "chromium-browser", "google-chrome", "chrome"].iter().find_map(|name| which(name));
    let mut packages = Vec::new();
    if chromium().is_none() {
        packages.push("chromium");
    }
    if which("chromedriver").is_none() {
        packages.push("chromium-driver");
    }
    for program in ["node", "npm"] {
        if which(program).is_none() {
            packages.push(if program == "node" { "nodejs" } else { program });
        }
    }
    if !packages.is_empty() {
        apt(&packages, "Chromium (or Chrome) with its chromedriver, node 20.16 or newer, and npm")?;
    }
    match (chromium(), which("chromedriver")) {
        (Some(chromium), Some(chromedriver)) => Ok(Browser { chromium, chromedriver }),
        _ => Err("Chromium or chromedriver is still not on PATH".into()),
    }
}

/// The Vulkan driver that native GPU tests run on, as a value for VK_DRIVER_FILES: Mesa's software renderer, so that
/// results are the same on every machine, else the one that comes with Chromium.
pub fn software_vulkan() -> Result<PathBuf> {
    let loader = || {
        let places = ["/usr/lib", "/usr/lib64", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu"];
        places.iter().any(|dir| Path::new(dir).join("libvulkan.so.1").exists())
    };
    let driver = || {
        let mesa = ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d"].into_iter().flat_map(|dir| {
            let entries = fs::read_dir(dir).into_iter().flatten().flatten();
            entries.map(|entry| entry.path())
        });
        let mesa =
            mesa.filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("lvp_icd")));
        let chromium = Path::new("/usr/lib/chromium/vk_swiftshader_icd.json").to_path_buf();
        mesa.chain(std::iter::once(chromium)).find(|path| path.is_file())
    };
    if let Some(given) = env::var_os("VK_DRIVER_FILES") {
        return Ok(given.into());
    }
    if !loader() || driver().is_none() {
        apt(&["libvulkan1", "mesa-vulkan-drivers"], "a Vulkan loader and Mesa's software driver (lavapipe)")?;
    }
    driver().ok_or_else(|| "there is still no software Vulkan driver; set VK_DRIVER_FILES to one".into())
}

fn apt(packages: &[&str], in_words: &str) -> Result {
    let root = ask("id -u").is_some_and(|id| id.trim() == "0");
    if !root || which("apt-get").is_none() {
        return Err(format!(
            "needed, and not found on PATH: {in_words}. On Debian: apt-get install {}",
            packages.join(" ")
        ));
    }
    stage(&format!("installing {}", packages.join(", ")), "one or two minutes", || {
        run(&mut command("apt-get update -qq"))?;
        run(command("apt-get install -y -qq --no-install-recommends")
            .args(packages)
            .env("DEBIAN_FRONTEND", "noninteractive"))
    })
}

/// The npm packages that `dir`'s package-lock.json names, in `dir`/node_modules.
pub fn node_modules(dir: &str) -> Result {
    let modified = |file: &str| fs::metadata(Path::new(dir).join(file)).and_then(|data| data.modified()).ok();
    let (installed, locked) = (modified("node_modules/.package-lock.json"), modified("package-lock.json"));
    if installed.is_some() && installed >= locked {
        return Ok(());
    }
    stage(&format!("installing the npm packages of {dir}"), "under a minute", || {
        run(command("npm ci --no-audit --no-fund --ignore-scripts").current_dir(dir))
    })
}
