// The npm package in other people's projects: what would be published, installed, and the READMEs' own snippets built with
// webpack and run.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import webpack from "webpack";
import { launch } from "./browser.mjs";
import { serve } from "./server.mjs";

const LANES = [{ method: "lora", rank: 8, alpha: 16 }];
const DIGITS = `
  import init, { Lab } from "lora-playground";
  await init();
  const lab = await Lab.create({ version: 1, task: { kind: "digits", pretrain: 100 }, lanes: ${JSON.stringify(LANES)} });
  await lab.train(3);
  console.log(lab.backend, (await lab.losses(0)).at(-1));
`;

// The snippet of a README that imports the package by its name and trains.
function snippet(readme) {
  const blocks = [...readFileSync(readme, "utf8").matchAll(/^```js\n(.*?)^```/gms)].map(([, code]) => code);
  const found = blocks.find((code) => code.includes('from "lora-playground"') && code.includes("train("));
  assert.ok(found, `${readme} has such a snippet`);
  return found;
}

describe("the npm package", () => {
  let project;
  let browser;
  before(async () => {
    project = mkdtempSync(join(tmpdir(), "bundle-"));
    const [{ files }] = JSON.parse(execFileSync("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], { cwd: "pkg", encoding: "utf8" }));
    for (const { path } of files) cpSync(join("pkg", path), join(project, "node_modules/lora-playground", path));
    browser = await launch();
  });
  after(async () => {
    await browser?.close();
    rmSync(project, { recursive: true, force: true });
  });

  // Builds `code` into the folder `name` and gives what it writes to the console when a page under a sub-path runs it.
  async function run(name, code) {
    const entry = join(project, `${name}.mjs`);
    const path = join(project, name);
    writeFileSync(entry, code);
    const options = { mode: "production", context: project, entry, output: { path, filename: "main.js" }, performance: { hints: false } };
    const stats = await new Promise((resolve, reject) => webpack(options, (error, stats) => (error ? reject(error) : resolve(stats))));
    assert.ok(!stats.hasErrors() && !stats.hasWarnings(), stats.toString({ all: false, errors: true, warnings: true }));

    const page = { body: '<!doctype html><link rel="icon" href="data:,"><script defer src="main.js"></script>', type: "text/html" };
    const server = await serve({ "/some/app/index.html": page, "/some/app/": path });
    const tab = await browser.newPage();
    try {
      return await new Promise((resolve, reject) => {
        tab.on("pageerror", reject);
        tab.on("console", (message) => (message.type() === "error" ? reject(new Error(message.text())) : resolve(message.text())));
        tab.goto(`${server.origin}/some/app/index.html`).catch(reject);
        setTimeout(() => reject(new Error("nothing was said in a minute")), 60_000).unref();
      });
    } finally {
      await tab.close();
      await server.close();
    }
  }

  it("runs the README's snippet, built with webpack", async () => {
    assert.match(await run("readme", snippet("README.md")), /^webgpu 0\.\d+$/);
  });

  it("brings the digits with it, built with webpack", async () => {
    assert.match(await run("digits", DIGITS), /^webgpu \d+\.\d+$/);
  });

  it("brings the digits with it, as plain modules", async () => {
    const server = await serve({ "/page.html": { body: "<!doctype html>", type: "text/html" }, "/deep/er/": join(project, "node_modules/lora-playground") });
    const page = await browser.newPage();
    try {
      await page.goto(`${server.origin}/page.html`);
      const losses = await page.evaluate(async (lanes) => {
        const { default: init, Lab } = await import("/deep/er/lora_playground.js");
        await init();
        const lab = await Lab.create({ version: 1, task: { kind: "digits", pretrain: 100 }, lanes });
        await lab.train(3);
        return Array.from(await lab.losses(0));
      }, LANES);
      assert.equal(losses.length, 3);
      assert.ok(losses.every((loss) => loss > 0 && Number.isFinite(loss)), losses.join());
    } finally {
      await page.close();
      await server.close();
    }
  });

  it("says where the digits come from", () => {
    const origin = readFileSync(join(project, "node_modules/lora-playground/data/ORIGIN.md"), "utf8");
    assert.match(origin, /CC BY 4\.0/);
  });
});
