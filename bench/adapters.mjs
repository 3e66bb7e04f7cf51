// How long the page takes for an adapter of Llama-7B's dimensions: rank 16 on all seven projections of 32 layers,
// generated, opened through the file chooser; and how well the page answers meanwhile. Then a module of a sparse base of
// many gigabytes, of which only that module is read.
//
//   node bench/adapters.mjs
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openSite } from "../tests/e2e/page.mjs";

const RANK = 16;
const LAYERS = 32;
const WIDE = 11008;
const PROJECTIONS = [
  ["self_attn.q_proj", 4096, 4096], ["self_attn.k_proj", 4096, 4096], ["self_attn.v_proj", 4096, 4096], ["self_attn.o_proj", 4096, 4096],
  ["mlp.gate_proj", 4096, WIDE], ["mlp.up_proj", 4096, WIDE], ["mlp.down_proj", WIDE, 4096],
];

// A file with this header; `values(size)` are the bytes of each tensor, or none where it is to be a hole.
function write(path, tensors, dtype, bytes, values) {
  const header = {};
  let at = 0;
  for (const [name, shape] of tensors) {
    const size = shape.reduce((a, b) => a * b) * bytes;
    header[name] = { dtype, shape, data_offsets: [at, at + size] };
    at += size;
  }
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  const file = openSync(path, "w");
  writeSync(file, length);
  writeSync(file, text);
  if (values) for (const [, shape] of tensors) writeSync(file, values(shape.reduce((a, b) => a * b)));
  else ftruncateSync(file, 8 + text.length + at);
  closeSync(file);
  return 8 + text.length + at;
}

// Of a generator that needs no library; what matters is only that they are not all alike.
let seed = 1;
function noise(count) {
  const out = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    out[i] = (seed / 2 ** 32 - 0.5) * 0.04;
  }
  return Buffer.from(out.buffer);
}

const dir = mkdtempSync(join(tmpdir(), "llama-7b-"));
const site = await openSite();
try {
  const modules = Array.from({ length: LAYERS }, (_, layer) => PROJECTIONS.map(([name, i, o]) => [`model.layers.${layer}.${name}`, i, o])).flat();
  const adapter = join(dir, "adapter_model.safetensors");
  const base = join(dir, "model.safetensors");
  const pairs = modules.flatMap(([name, i, o]) => [[`base_model.model.${name}.lora_A.weight`, [RANK, i]], [`base_model.model.${name}.lora_B.weight`, [o, RANK]]]);
  const size = write(adapter, pairs, "F32", 4, noise);
  const large = write(base, modules.map(([name, i, o]) => [`${name}.weight`, [o, i]]), "F16", 2, null);
  console.log(`${modules.length} modules, ${(size / 1e6).toFixed(0)} MB; base ${(large / 1e9).toFixed(1)} GB, a hole`);

  const page = await site.visit("#adapters");
  await page.getByRole("button", { name: "Open files…" }).waitFor();
  await page.evaluate(() => {
    window.gaps = [];
    let last = performance.now();
    const tick = () => {
      const now = performance.now();
      window.gaps.push(now - last);
      last = now;
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  });
  const choose = async (button, files) => {
    const [chooser] = await Promise.all([page.waitForEvent("filechooser"), page.getByRole("button", { name: button }).click()]);
    await chooser.setFiles(files);
  };
  const start = performance.now();
  const since = () => ((performance.now() - start) / 1000).toFixed(2);
  await choose("Open files…", [adapter]);
  await page.getByText("224 modules", { exact: true }).first().waitFor();
  console.log(`opened in ${since()} s`);
  await page.getByText(/largest change is/).waitFor({ timeout: 120_000 });
  console.log(`overview in ${since()} s`);
  const gaps = await page.evaluate(() => window.gaps.toSorted((a, b) => b - a).slice(0, 3).map(Math.round));
  console.log(`longest waits between two frames meanwhile: ${gaps.join(", ")} ms`);
  const look = performance.now();
  await page.getByRole("button", { name: "Module", exact: true }).click();
  await page.getByRole("img", { name: /^ΔW,/ }).waitFor({ timeout: 120_000 });
  console.log(`a module's ΔW in ${((performance.now() - look) / 1000).toFixed(2)} s`);
  const opening = performance.now();
  await choose("Add files…", [base]);
  await page.getByText(/^Base: model.safetensors/).waitFor();
  console.log(`base opened in ${((performance.now() - opening) / 1000).toFixed(2)} s`);
  await page.getByRole("button", { name: "Cancel" }).click();
  const merged = performance.now();
  await page.getByRole("button", { name: "Module", exact: true }).click();
  await page.getByRole("img", { name: /^W0 \+ ΔW,/ }).waitFor({ timeout: 120_000 });
  console.log(`its three weights in ${((performance.now() - merged) / 1000).toFixed(2)} s`);
} finally {
  await site.close();
  rmSync(dir, { recursive: true });
}
