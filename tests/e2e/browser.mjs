// Chromium for tests and benches: with WebGPU on a software adapter, or, as most machines without a GPU are, without.
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { chromium } from "playwright-core";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "chrome"];

function executable() {
  if (process.env.CHROMIUM) return process.env.CHROMIUM;
  const places = (process.env.PATH ?? "").split(delimiter).flatMap((dir) => NAMES.map((name) => join(dir, name)));
  const found = places.find((place) => existsSync(place));
  if (!found) throw new Error(`none of ${NAMES.join(", ")} is on PATH; set CHROMIUM to the browser's place`);
  return found;
}

export function launch({ webgpu = true } = {}) {
  const args = ["--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking"];
  args.push("--disable-component-update", "--disable-sync");
  if (webgpu) args.push("--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader");
  return chromium.launch({ executablePath: executable(), args });
}
