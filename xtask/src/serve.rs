//! Serves the page from dist/ as a host would, compressed.

use std::{
    fs,
    io::{self, Write},
    path::{Component, Path, PathBuf},
    thread,
};

use flate2::{Compression, write::GzEncoder};
use tiny_http::{Header, Request, Response, Server};

use crate::{
    page::{DIST, build},
    shell::Result,
};

pub fn serve(args: &[String]) -> Result {
    let port = match args {
        [] => "8080",
        [flag, port] if flag == "--port" && port.parse::<u16>().is_ok() => port,
        _ => return Err(format!("serve takes --port N, not {args:?}")),
    };
    let address = format!("127.0.0.1:{port}");
    // Before the build, so that a port in use is said at once.
    let server = Server::http(&address).map_err(|e| {
        format!("cannot serve at {address}: {e}. If another program uses that port, give --port another")
    })?;
    build()?;
    println!("\n▸ serving {DIST}/ at http://{address}; Ctrl-C ends it");
    for request in server.incoming_requests() {
        // A thread each, so that none waits for a slow one. A visitor who has gone away is no error.
        thread::spawn(move || answer(request));
    }
    Ok(())
}

fn answer(request: Request) -> io::Result<()> {
    let Some((path, body)) = found(request.url()) else {
        return request.respond(Response::from_string("There is no such file.").with_status_code(404));
    };
    let header = |name: &str, value: &str| Header::from_bytes(name, value).map_err(|()| io::ErrorKind::InvalidInput);
    let kind = header("Content-Type", kind(&path))?;
    // For frames without an origin, which are anybody's: see docs/EMBED.md.
    let open = header("Access-Control-Allow-Origin", "*")?;
    let gzip = request.headers().iter().any(|h| h.field.equiv("Accept-Encoding") && h.value.as_str().contains("gzip"));
    if !gzip {
        return request.respond(Response::from_data(body).with_header(kind).with_header(open));
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&body)?;
    let compressed = Response::from_data(encoder.finish()?).with_header(kind).with_header(open);
    request.respond(compressed.with_header(header("Content-Encoding", "gzip")?))
}

/// The file of dist/ that an address names, and what is in it.
fn found(url: &str) -> Option<(PathBuf, Vec<u8>)> {
    let inside = url.split(['?', '#']).next()?.trim_start_matches('/');
    let inside = Path::new(if inside.is_empty() { "index.html" } else { inside });
    let plain = inside.components().all(|part| matches!(part, Component::Normal(_)));
    let path = plain.then(|| Path::new(DIST).join(inside))?;
    fs::read(&path).ok().map(|body| (path, body))
}

fn kind(path: &Path) -> &'static str {
    match path.extension().and_then(|e| e.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("wasm") => "application/wasm",
        Some("csv") => "text/csv; charset=utf-8",
        Some("json") => "application/json",
        Some("md") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_the_page_are_served() {
        assert!(found("/../Cargo.toml").is_none());
        assert!(found("//etc/passwd").is_none());
        assert!(found("/no-such-file").is_none());
        assert_eq!(kind(Path::new("a/b.wasm")), "application/wasm");
        assert_eq!(kind(Path::new("model.safetensors")), "application/octet-stream");
    }
}
