// Times training steps: this engine and its peers, taking turns in one Chromium, so that a noisy machine is noisy for all.
// Quote ratios, never milliseconds: both come from one run.
//
//   node bench/steps.mjs --out FILE [--rows 64,256,language] [--no-peers]
//
// A row is a layer of N = D, or the small language model with adapters on all of its projections.
import { readFile, writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { launch } from "../tests/e2e/browser.mjs";
import { serve } from "../tests/e2e/server.mjs";

const RANK = 8;
const EXPERTS = 4;
// The language model's mixture has as many parameters as its LoRA, but for routers.
const RANK_OF_EXPERTS = 2;
const OURS = ["webgpu", "cpu"];
const PEERS = ["jax-js-webgpu", "jax-js-wasm", "tfjs-webgpu"];
const REPETITIONS = 7;
const WARM_UP = 5;
// One repetition is as many steps as fit into this, so that neither clock nor submission decides the figure.
const REPETITION_MS = 400;

const { values: options } = parseArgs({
  options: { out: { type: "string" }, rows: { type: "string", default: "64,256,512,language" }, "no-peers": { type: "boolean", default: false } },
});
const sizes = options.rows.split(",").map((size) => (size === "language" ? size : Number(size)));
if (!sizes.every((size) => size === "language" || (Number.isInteger(size) && size > 0))) throw new Error(`--rows ${options.rows}: give sizes like 64,256 or language`);
const peers = options["no-peers"] ? [] : PEERS;

async function bundle() {
  const { build } = await import("./node_modules/esbuild/lib/main.js");
  const built = await build({ entryPoints: ["bench/peers.mjs"], bundle: true, format: "esm", write: false, logLevel: "error" });
  return built.outputFiles[0].text;
}

const text = (body) => ({ body, type: "text/javascript" });
const mounts = {
  "/bare.html": { body: "<!doctype html><title>bench</title>", type: "text/html" },
  "/pkg/": "pkg",
  "/ours.mjs": text(await readFile("bench/ours.mjs")),
  "/data.mjs": text(await readFile("bench/data.mjs")),
  "/language.mjs": text(await readFile("bench/language.mjs")),
};
if (peers.length) mounts["/peers.mjs"] = text(await bundle());

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

const server = await serve(mounts);
const browser = await launch();
const page = await browser.newPage();
await page.goto(`${server.origin}/bare.html`);

const start = (name, config) =>
  page.evaluate(async ([name, config]) => {
    const { start } = await import(name.includes("-") ? "/peers.mjs" : "/ours.mjs");
    window.runners ??= {};
    window.runners[name] = await start(name, config);
  }, [name, config]);
// Milliseconds per step, until the backend has really done them.
const time = (name, steps) =>
  page.evaluate(async ([name, steps]) => {
    const begun = performance.now();
    await window.runners[name].train(steps);
    return (performance.now() - begun) / steps;
  }, [name, steps]);
const finish = (name) =>
  page.evaluate(async (name) => {
    const runner = window.runners[name];
    const losses = [await runner.firstLoss(), await runner.loss()];
    runner.stop();
    delete window.runners[name];
    return losses;
  }, name);

async function row(size, method) {
  const rank = size === "language" && method === "molora" ? RANK_OF_EXPERTS : RANK;
  const config = { method, size, rank, experts: EXPERTS };
  // Of TensorFlow.js, jax-js is ahead in every row of one layer.
  const own = peers.filter((name) => size !== "language" || name.startsWith("jax"));
  const contenders = [...OURS, ...own].map((name) => ({ name, times: [] }));
  for (const contender of contenders) {
    await start(contender.name, config);
    await time(contender.name, WARM_UP);
    const estimate = await time(contender.name, WARM_UP);
    contender.steps = Math.min(400, Math.max(2, Math.round(REPETITION_MS / estimate)));
  }
  for (let repetition = 0; repetition < REPETITIONS; repetition++) {
    for (const contender of contenders) contender.times.push(await time(contender.name, contender.steps));
  }
  const result = { size, method, ms: {}, spread: {}, steps: {}, losses: {} };
  for (const { name, times, steps } of contenders) {
    result.ms[name] = median(times);
    result.spread[name] = [Math.min(...times), Math.max(...times)];
    result.steps[name] = steps;
    result.losses[name] = await finish(name);
  }
  agree(result);
  return result;
}

// Adapters start without effect, so the first loss is the frozen layer's, whoever computes it: a contender with another
// one does other work, and its time means nothing.
function agree({ size, method, losses }) {
  const [reference] = losses[OURS[1]];
  for (const [name, [first, last]] of Object.entries(losses)) {
    if (!(Math.abs(first - reference) <= 1e-3 * reference)) throw new Error(`${method} ${size}: ${name} begins at loss ${first}, not ${reference}`);
    if (!(last < first)) throw new Error(`${method} ${size}: ${name} does not learn, ${first} → ${last}`);
  }
}

const columns = [
  ["N = D", (r) => String(r.size)],
  ["method", (r) => r.method],
  ...[...OURS, ...peers].map((name) => [name, (r) => r.ms[name]?.toPrecision(3) ?? "–"]),
];
if (peers.length) {
  columns.push(["webgpu ×", (r) => (r.ms["jax-js-webgpu"] / r.ms.webgpu).toFixed(1)]);
  columns.push(["cpu ×", (r) => (r.ms["jax-js-wasm"] / r.ms.cpu).toFixed(2)]);
}
const widths = columns.map(([title]) => Math.max(title.length, 8));
const line = (cells) => cells.map((cell, i) => cell.padStart(widths[i])).join("  ");

console.log(`Milliseconds per training step (rank ${RANK}, ${EXPERTS} experts), median of ${REPETITIONS}.`);
if (peers.length) console.log("webgpu ×: how many times faster than jax-js on WebGPU; cpu ×: than jax-js in wasm.");
console.log(`\n${line(columns.map(([title]) => title))}`);
const rows = [];
for (const size of sizes) {
  for (const method of ["lora", "molora"]) {
    rows.push(await row(size, method));
    console.log(line(columns.map(([, cell]) => cell(rows.at(-1)))));
  }
}
await browser.close();
await server.close();
if (options.out) await writeFile(options.out, `${JSON.stringify({ rank: RANK, experts: EXPERTS, steps: rows }, null, 1)}\n`);
