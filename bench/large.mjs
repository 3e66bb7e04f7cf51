// A model of SmolLM-135M's dimensions (random weights, BF16, 269 MB) opened on the page through its file input and trained: how long
// until it trains, how long a step takes beside what was said before, and the most memory that the browser's processes held.
//
//   node bench/large.mjs [cpu|webgpu] [one or more shards]
//   node bench/large.mjs --write FOLDER [shards]      writes the folder alone
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openSite, trained } from "../tests/e2e/page.mjs";
import { SMOLLM, writeModel } from "../tests/e2e/model.mjs";

if (process.argv[2] === "--write") {
  console.log(`${writeModel(process.argv[3], SMOLLM, Number(process.argv[4] ?? 1)).parameters} parameters`);
  process.exit();
}
const [backend = "cpu", shards = "1"] = process.argv.slice(2);

// The most that each kind of this browser's processes ever held, in MiB: renderer (page and worker), GPU.
function memory() {
  const all = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  const read = (pid, what) => { try { return readFileSync(`/proc/${pid}/${what}`, "utf8"); } catch { return ""; } };
  const parent = new Map(all.map((pid) => [pid, read(pid, "stat").replace(/^.*\) . (\d+) .*$/s, "$1")]));
  const ours = (pid) => { for (let at = pid; at; at = parent.get(at)) if (at === String(process.pid)) return true; return false; };
  const most = {};
  for (const pid of all) {
    const kind = read(pid, "cmdline").match(/--type=(renderer|gpu-process)/)?.[1];
    const high = read(pid, "status").match(/VmHWM:\s+(\d+)/)?.[1];
    if (kind && high && ours(pid)) most[kind] = Math.max(most[kind] ?? 0, Math.round(high / 1024));
  }
  return JSON.stringify(most);
}

const dir = mkdtempSync(join(tmpdir(), "smollm-"));
const site = await openSite();
try {
  const { files, parameters } = writeModel(join(dir, "model"), SMOLLM, Number(shards));
  console.log(`${(parameters / 1e6).toFixed(1)} million parameters in ${shards} file(s), ${backend}`);
  const page = await site.visit(`?task=text&backend=${backend}&paused=true&batch=1&sequence=64&lanes=lora.r8.lr0.001`);
  await page.locator("#loss").waitFor({ timeout: 120_000 });
  await page.locator(".task summary").click();
  console.log(`page: ${memory()}`);
  const begun = performance.now();
  const since = () => `${((performance.now() - begun) / 1000).toFixed(1)} s`;
  const text = { name: "own.txt", mimeType: "text/plain", buffer: Buffer.from("All human beings are born free and equal in dignity and rights. ".repeat(200)) };
  await page.getByLabel("Own texts").setInputFiles(files);
  await page.getByText(/layers of width 576/).waitFor();
  console.log(`its shape after ${since()}`);
  const said = page.getByText(/timed on one layer/);
  if (await page.locator(".own-fit").count()) {
    console.log(await page.locator(".own-fit p").first().innerText());
    await said.waitFor({ timeout: 600_000 });
    console.log(`after ${since()}: ${await said.innerText()}`);
  }
  await page.getByLabel("Own texts").setInputFiles([text]);
  const go = page.getByRole("button", { name: "Train on these", exact: true });
  await go.waitFor();
  const asked = performance.now();
  await go.click();
  await page.locator(".task summary").filter({ hasText: "language · own" }).waitFor({ timeout: 600_000 });
  await page.locator(".task summary").click();
  await page.getByRole("button", { name: "Run", exact: true }).click();
  let at = await trained(page, 1, 900_000);
  console.log(`step ${at} ${((performance.now() - asked) / 1000).toFixed(1)} s after the press: ${memory()}`);
  const first = [at, performance.now()];
  at = await trained(page, at + 4, 900_000);
  console.log(`${((performance.now() - first[1]) / 1000 / (at - first[0])).toFixed(2)} s a step, with displays; ${memory()}`);
  console.log(await page.getByRole("status").first().innerText());
  if (page.errors.length) console.log(page.errors.join("\n"));
} finally {
  await site.close();
  rmSync(dir, { recursive: true, force: true });
}
