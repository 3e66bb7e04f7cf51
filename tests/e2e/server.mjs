// A static server for tests and benches: mounts folders and texts under paths, as any static host would serve them
// (no special headers, unless it is `open` to frames without an origin; compressed where `gzip` is asked for), and keeps a log of what was asked for.
import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { extname, join, normalize } from "node:path";
import { gzipSync } from "node:zlib";

const TYPES = {
  ".css": "text/css",
  ".csv": "text/csv",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".json": "application/json",
  ".wasm": "application/wasm",
};

// `mounts`: { "/some/path/": folder, "/file.html": { body, type } }. Returns { origin, requests, files, close }:
// `requests` are the paths asked for, `files` the bytes of each path that was found.
export async function serve(mounts, { gzip = false, open = false } = {}) {
  const requests = [];
  const files = new Map();
  const compressed = new Map();

  async function find(path) {
    if (mounts[path]?.body !== undefined) return mounts[path];
    const prefix = Object.keys(mounts).find((mount) => mount.endsWith("/") && path.startsWith(mount));
    if (!prefix) return null;
    const inside = normalize(path.slice(prefix.length) || "index.html");
    if (inside.startsWith("..")) return null;
    const file = join(mounts[prefix], inside);
    return { body: await readFile(file), type: TYPES[extname(file)] ?? "application/octet-stream" };
  }

  const server = createServer(async (request, response) => {
    const path = decodeURIComponent(new URL(request.url, "http://host").pathname);
    requests.push(path);
    const found = await find(path).catch(() => null);
    if (!found) return response.writeHead(404).end();
    files.set(path, Buffer.from(found.body));
    if (!gzip) return response.writeHead(200, { "content-type": found.type, ...(open && { "access-control-allow-origin": "*" }) }).end(found.body);
    // Once, so that no time is spent on it when a page is timed.
    if (!compressed.has(path)) compressed.set(path, gzipSync(found.body, { level: 9 }));
    const body = compressed.get(path);
    response.writeHead(200, { "content-type": found.type, "content-encoding": "gzip", "content-length": body.length }).end(body);
  });
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));

  return {
    origin: `http://127.0.0.1:${server.address().port}`,
    requests,
    files,
    close: () => new Promise((resolve) => (server.close(resolve), server.closeAllConnections())),
  };
}
