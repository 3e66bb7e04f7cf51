// Visitors of all kinds: by links that others have changed, without a GPU, without a connection, by keyboard and screen
// reader, wanting nothing to move.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { openSite, status, step, still, trained } from "./page.mjs";

const button = (page, name) => page.getByRole("button", { name, exact: true });
const alert = (page, hasText) => page.getByRole("alert").filter({ hasText });

describe("a link that is not quite right", () => {
  let site;
  before(async () => (site = await openSite({ webgpu: false })));
  after(() => site?.close());

  it("keeps its run whatever a site appends, and names what it does not know in a line to be put away", async () => {
    const page = await site.visit("?seed=7&lanes=full~lora.r2&utm_source=x&fbclid=y&colour=dark%20red&trk=1");
    await trained(page, 3);
    assert.equal(await page.getByRole("slider", { name: "LoRA rank", exact: true }).inputValue(), "2");
    assert.equal(await page.getByRole("alert").count(), 1);
    const line = alert(page, "means nothing here");
    assert.match(await line.innerText(), /: colour=dark red, trk=1\./);
    assert.doesNotMatch(await line.innerText(), /utm|fbclid/);
    await line.getByRole("button", { name: "Dismiss" }).click();
    await page.waitForFunction(() => document.querySelectorAll('[role="alert"]').length === 0);
    await button(page, "Share").click();
    assert.ok((await page.getByRole("textbox", { name: "Link to this run" }).inputValue()).endsWith("?seed=7&lanes=full~lora.r2"));
    assert.deepEqual(page.errors, []);
    await page.context().close();
  });

  it("falls back to the default of a wrong value alone", async () => {
    const page = await site.visit("?seed=x&dim=32&lanes=full~lora.r0.a32~molora.n3.r2");
    await trained(page, 3);
    const said = await alert(page, "Not all of the link").innerText();
    assert.ok(said.includes("seed") && said.includes("lanes[1].rank"), said);
    await button(page, "Share").click();
    assert.ok((await page.getByRole("textbox", { name: "Link to this run" }).inputValue()).endsWith("?dim=32&lanes=full~lora.r8.a32~molora.n3.r2"));
    await page.context().close();
  });
});

describe("a visitor without WebGPU", () => {
  let site;
  before(async () => (site = await openSite({ webgpu: false })));
  after(() => site?.close());
  // What a person is told: no library's words, what it means, what helps.
  const plain = (text) => {
    assert.match(text, /your processor.*slower|slower.*your processor/i);
    assert.match(text, /this browser .*; (switch|update)/);
    assert.doesNotMatch(text, /wgpu|adapter|backend|vulkan|undefined|Error/i);
  };

  it("is told what it means and what to do, and Run trains on the processor", async () => {
    const page = await site.visit("?backend=webgpu&seed=7&paused");
    const asks = alert(page, /asks for WebGPU/);
    plain(await asks.innerText({ timeout: 30_000 }));
    await button(page, "Run").click();
    await trained(page, 10);
    assert.match(await status(page).innerText(), /CPU/);
    assert.equal(await asks.count(), 0);
    plain(await page.locator(".lead b").first().innerText());
    await status(page).hover();
    plain(await page.locator(".why", { hasText: "WebGPU" }).innerText());
    assert.deepEqual(page.errors, []);
    await page.context().close();
  });

  it("keeps the run that is there when WebGPU is chosen in its menu", async () => {
    const page = await site.visit("?seed=7");
    await trained(page, 10);
    await page.locator("details.task > summary").click();
    await page.getByLabel("backend").selectOption("webgpu");
    await button(page, "Restart").click();
    const refused = alert(page, /the run that was there is kept/);
    assert.match(await refused.innerText(), /WebGPU cannot be used here: this browser .*; (switch|update)/);
    const kept = await step(page);
    assert.ok(kept >= 10, `step ${kept}`);
    await trained(page, kept + 10);
    assert.equal(await page.getByLabel("backend").inputValue(), "0");
    await page.context().close();
  });
});

describe("a visitor whose connection is gone", { timeout: 120_000 }, () => {
  // Visits, and ends what was begun however it goes.
  async function visiting(query, body) {
    const site = await openSite({ webgpu: false });
    try {
      await body(await site.visit(query), site.server);
    } finally {
      await site.close().catch(() => {});
    }
  }

  // Chosen after the server has stopped: what, and the file that it needs.
  for (const [chosen, file] of [
    ["digits", /digits\.csv/],
    ["language", /data\/lm\//],
  ]) {
    it(`keeps page and run when ${chosen} cannot be loaded`, async () => {
      await visiting("?seed=7", async (page, server) => {
        await trained(page, 10);
        const at = page.url();
        await server.close();
        await page.locator("details.task > summary").click();
        await page.locator("details.task select").first().selectOption({ label: chosen });
        await button(page, "Restart").click();
        const refused = alert(page, /the run that was there is kept/);
        assert.match(await refused.innerText(), file);
        assert.match(await refused.innerText(), /cannot be reached; try again/);
        const kept = await step(page);
        assert.ok(kept >= 10, `step ${kept}`);
        await trained(page, kept + 20);
        assert.equal(page.url(), at);
        // The menu lies over the loss.
        await page.locator("details.task > summary").click();
        // Its curve has no gap: what came while the data were fetched is in it.
        await button(page, "Pause").click();
        assert.ok(await still(page));
        await button(page, "Loss as a table").click();
        const steps = await page.getByRole("table").first().getByRole("rowheader").allInnerTexts();
        assert.ok(steps.length > 5, steps.join(", "));
      });
    });
  }

  it("keeps page and run when Experiments, Sweeps or Adapters cannot be had, and says so", async () => {
    await visiting("?seed=7", async (page, server) => {
      await trained(page, 10);
      await server.close();
      for (const part of ["Experiments", "Sweeps", "Adapters"]) {
        await page.getByRole("link", { name: part, exact: true }).filter({ visible: true }).click();
        await page.locator("#studio").getByText(/could not be loaded; opening it again tries once more/).waitFor({ timeout: 10_000 });
        await page.getByRole("link", { name: "Back to the lab" }).click();
        // The lab is shown in a later task of the browser's; a run begun anew would show a smaller step.
        const kept = await trained(page, 1, 10_000);
        assert.ok(kept >= 10, `step ${kept}`);
        await trained(page, kept + 10);
      }
    });
  });

  it("says which worker is missing where the parts are there, and that opening the view again tries once more", async () => {
    await visiting("#experiments", async (page, server) => {
      await page.getByRole("heading", { name: /Claims about/ }).waitFor();
      await server.close();
      await page.getByRole("link", { name: "Adapters", exact: true }).filter({ visible: true }).click();
      await alert(page, /could not be loaded\. Opening this view again starts another/).filter({ visible: true }).waitFor({ timeout: 10_000 });
      await page.getByRole("link", { name: "Experiments", exact: true }).filter({ visible: true }).click();
      await page.getByRole("heading", { name: /Claims about/ }).waitFor();
    });
  });

  it("stays on the page when an experiment's set-up cannot be opened in the lab", async () => {
    await visiting("#experiments", async (page, server) => {
      await page.getByRole("button", { name: /details/i }).first().click();
      const open = page.getByRole("link", { name: /in the lab/ }).first();
      const at = page.url();
      await server.close();
      await open.click();
      assert.match(await alert(page, /cannot be opened/).innerText(), /cannot be reached; try again/);
      assert.equal(page.url(), at);
    });
  });
});
