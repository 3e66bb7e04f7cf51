// The Python package in JupyterLab: the example notebook is run cell by cell, as a person would, and looked at.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { cp, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, describe, it } from "node:test";
import { launch } from "./browser.mjs";

const PROGRAMS = process.env.NOTEBOOK ?? join(process.env.CARGO_TARGET_DIR ?? "target", "tools/notebook/bin");

describe("the package in a notebook", () => {
  let jupyter, browser, home, origin;
  before(async () => {
    home = await mkdtemp(join(tmpdir(), "notebook-"));
    // JupyterLab saves what it runs: a copy, from which the same data are to be found.
    await cp("examples/notebook", join(home, "examples/notebook"), { recursive: true });
    await symlink(resolve("www"), join(home, "www"));
    const settings = [`--ServerApp.root_dir=${home}`, "--no-browser", "--allow-root", "--port=0", "--IdentityProvider.token=", "--LabApp.news_url=", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"];
    // A home of its own, so that neither settings nor workspaces of somebody's are read or written.
    const env = { ...process.env, HOME: home, JUPYTER_CONFIG_DIR: home, JUPYTER_DATA_DIR: join(home, "data"), JUPYTER_RUNTIME_DIR: join(home, "run"), PATH: `${resolve(PROGRAMS)}:${process.env.PATH}` };
    jupyter = spawn(join(PROGRAMS, "jupyter-lab"), settings, { env, stdio: ["ignore", "ignore", "pipe"] });
    let said = "";
    origin = await new Promise((found, lost) => {
      jupyter.on("error", () => lost(new Error(`${PROGRAMS} has no jupyter-lab: \`cargo xtask test\` installs it`)));
      jupyter.on("exit", () => lost(new Error(`JupyterLab has ended: ${said}`)));
      jupyter.stderr.on("data", (text) => {
        said += text;
        const address = said.match(/http:\/\/(?:localhost|127\.0\.0\.1):(\d+)/);
        if (address) found(`http://127.0.0.1:${address[1]}`);
      });
    });
    browser = await launch({ webgpu: false });
  });
  after(async () => {
    await browser?.close();
    jupyter?.kill();
    await new Promise((ended) => (jupyter?.exitCode === null ? jupyter.once("exit", ended) : ended()));
    await rm(home, { recursive: true, force: true, maxRetries: 5 });
  });

  it("shows live panels, gives arrays back, and opens an adapter", { timeout: 240_000 }, async () => {
    const page = await browser.newPage({ viewport: { width: 1280, height: 1000 } });
    const elsewhere = [];
    page.on("request", (request) => {
      const { protocol, hostname } = new URL(request.url());
      if (protocol.startsWith("http") && hostname !== "127.0.0.1") elsewhere.push(request.url());
    });
    await page.goto(`${origin}/lab/tree/examples/notebook/playground.ipynb?reset`);
    const cells = page.locator(".jp-Notebook .jp-CodeCell");
    await cells.nth(2).waitFor({ timeout: 60_000 });
    await page.getByText("Python 3 (ipykernel) | Idle").or(page.locator("[data-status=idle]")).first().waitFor({ timeout: 60_000 });
    const run = async (at) => {
      await cells.nth(at).locator(".cm-content").click();
      await page.keyboard.press("Shift+Enter");
    };
    await run(0);
    const panels = cells.nth(0).frameLocator("iframe");
    await panels.getByText(/^step 400/).first().waitFor({ timeout: 120_000 });
    await panels.locator("#gates canvas").first().waitFor();
    const box = await cells.nth(0).locator("iframe").boundingBox();
    assert.ok(box.width > 500 && box.height > 300, JSON.stringify(box));
    // What came between the cells is there in the next.
    await page.waitForTimeout(1500);
    await run(1);
    const output = cells.nth(1).locator(".jp-OutputArea-output");
    await output.getByText("step 400: LoRA at").waitFor({ timeout: 30_000 });
    const text = await output.innerText();
    const [, end, points, start] = text.match(/step 400: LoRA at ([\d.]+) after (\d+) points, from ([\d.]+)/);
    // Four conflicting tasks: from the whole energy to the floor 1 − 1/D.
    assert.ok(Math.abs(end - 0.75) < 0.02 && Math.abs(start - 1) < 0.1 && points >= 100, text);
    const [, tokens, experts, sum] = text.match(/gates \((\d+), (\d+)\) each token's add up to ([\d.]+)/);
    assert.deepEqual([Number(tokens) > 0, experts, Number(sum)], [true, "4", 1]);
    assert.match(text, /lora_A\.weight \(8, 64\)/);
    assert.match(text, /lora_B\.weight \(64, 8\)/);
    await run(2);
    const adapters = cells.nth(2).frameLocator("iframe");
    await adapters.getByText(/LoRA of 28 modules, rank 8/).waitFor({ timeout: 60_000 });
    await adapters.getByText(/by 6\.25 % of the weight's own size/).waitFor({ timeout: 30_000 });
    assert.deepEqual(elsewhere, [], "asked of another host");
    if (process.env.SHOT) {
      await page.getByRole("button", { name: "No", exact: true }).click();
      await page.locator(".jp-NotebookPanel").screenshot({ path: process.env.SHOT });
    }
    await page.close();
  });
});
