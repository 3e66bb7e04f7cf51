// The studio in Chromium: experiments and sweeps from Run to file, and what can go wrong.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import { openSite, step, trained } from "./page.mjs";

const button = (page, name) => page.getByRole("button", { name, exact: true });
const link = (page, name) => page.getByRole("link", { name, exact: true });
const claim = (page, id) => page.locator(`#claim-${id}`);
const verdict = (page, id) => claim(page, id).locator(".verdict");

// The worker has said what it can measure on.
async function ready(page) {
  await page.getByRole("button", { name: "CPU", exact: true, disabled: false }).waitFor({ timeout: 20_000 });
}

async function on(page, backend) {
  await page.getByRole("button", { name: backend === "cpu" ? "CPU" : /^WebGPU/ }).click();
}

// Measured here, and found so.
async function until(page, id, words, timeout = 60_000) {
  await claim(page, id).getByText(/^Measured here/).waitFor({ timeout });
  await verdict(page, id).filter({ hasText: words }).waitFor({ timeout });
}

// Nothing but what was recorded is shown of it.
async function untouched(page, id) {
  await claim(page, id).getByText(/^Recorded on the CPU, 3 seeds/).waitFor({ timeout: 60_000 });
}

// Text of the file that a button saves, and its name.
async function saved(page, name, encoding = "utf8") {
  const [download] = await Promise.all([page.waitForEvent("download"), button(page, name).click()]);
  return { name: download.suggestedFilename(), content: await readFile(await download.path(), encoding) };
}

describe("the studio, with WebGPU", () => {
  let site;
  before(async () => (site = await openSite()));
  after(() => site?.close());

  async function visiting(query, options, body, expected = []) {
    const page = await site.visit(query, options);
    try {
      await body(page);
      const errors = page.errors.filter((error) => !expected.some((pattern) => pattern.test(error)));
      assert.deepEqual(errors, [], "errors in the console");
    } finally {
      await page.context().close();
    }
  }

  it("needs no second engine, pauses the lab while open, and gives it back", async () => {
    await visiting("", {}, async (page) => {
      await trained(page, 20);
      await link(page, "Experiments").click();
      await ready(page);
      assert.equal(page.asked.filter((url) => url.endsWith("_bg.wasm")).length, 1);
      assert.ok(await page.getByText("The lab is paused while you are here").isVisible());
      assert.equal(await page.evaluate(() => document.activeElement?.id), "studio-title");
      await page.waitForTimeout(1500);
      await page.goBack();
      await page.locator("#app").waitFor();
      const back = await step(page);
      assert.equal(await page.evaluate(() => document.activeElement?.textContent), "Experiments");
      await trained(page, back + 10);
      await page.goForward();
      await page.locator("#studio-title").waitFor();
      await page.waitForTimeout(500);
      const hidden = await page.evaluate(() => document.querySelector('#app [role="status"]').textContent);
      await page.waitForTimeout(1000);
      assert.equal(await page.evaluate(() => document.querySelector('#app [role="status"]').textContent), hidden, "the lab waits");
    });
  });

  it("begins with what was recorded, findings first, filtered by verdict and method", async () => {
    await visiting("#experiments", {}, async (page) => {
      const verdicts = () => page.locator(".claim .verdict").allInnerTexts();
      const choice = (name) => page.getByRole("group", { name: "Verdict" }).getByRole("button", { name });
      await choice(/^all/).waitFor({ timeout: 20_000 });
      const all = await verdicts();
      const order = ["does not hold", "open", "holds"];
      const places = all.map((verdict) => order.findIndex((words) => verdict.endsWith(words)));
      assert.ok(places.every((place) => place >= 0), all.join(", "));
      assert.deepEqual(places, places.toSorted());
      assert.ok((await page.locator(".claim .small-figure svg").count()) > 10);
      for (const words of order) {
        await choice(new RegExp(`^${words}`)).click();
        const some = await verdicts();
        assert.ok(some.length > 0 && some.every((verdict) => verdict.endsWith(words)), some.join(", "));
        assert.equal(await choice(new RegExp(`^${words}`)).innerText(), `${words} ${some.length}`);
      }
      await choice(/^all/).click();
      await page.locator(".filters select").selectOption({ label: "DoRA" });
      assert.ok(await claim(page, "dora").isVisible());
      assert.equal(await claim(page, "sizes").count(), 0);
      assert.ok((await verdicts()).length < all.length);
      const preset = claim(page, "dora").getByRole("link", { name: /^Open in the lab: / });
      assert.match(await preset.getAttribute("href"), /^\?.*lanes=.*dora/);
    });
  });

  it("opens at one claim, whose set-up opens in the lab", async () => {
    await visiting("#experiments/rank-floor", {}, async (page) => {
      await ready(page);
      await page.waitForFunction(() => document.activeElement?.id === "claim-rank-floor");
      const open = claim(page, "rank-floor").getByRole("link", { name: /^Open in the lab: / }).first();
      assert.match(await open.getAttribute("href"), /^\?.*lanes=lora/);
      await open.click();
      await trained(page, 1);
      assert.match(await page.evaluate(() => location.search), /true_rank=16/);
      await link(page, "Experiments").click();
      await ready(page);
      await link(page, "Lab").click();
      await trained(page, 3);
    });
  });

  for (const backend of ["webgpu", "cpu"]) {
    it(`measures a claim on ${backend}, and says where`, async () => {
      await visiting("#experiments", {}, async (page) => {
        await ready(page);
        await on(page, backend);
        // By the keyboard.
        await button(page, "Run it here: Merging LoRA").focus();
        await page.keyboard.press("Enter");
        await claim(page, "lora-merge").getByText(/seed \d of 3/).waitFor();
        await until(page, "lora-merge", "holds");
        const text = await claim(page, "lora-merge").innerText();
        assert.match(text, backend === "cpu" ? /Measured here on the CPU, 3 seeds, in/ : /Measured here on WebGPU \(.+\), 3 seeds, in/);
        const csv = await saved(page, "Save all measurements as CSV");
        assert.equal(csv.name, "experiments.csv");
        const [head, row] = csv.content.trim().split("\n");
        assert.match(head, /^experiment,quantity,predicted,seed 1,seed 2,seed 3,mean/);
        assert.match(row, new RegExp(`^lora-merge,.*,holds,holds,${backend},`));
        const { experiments } = JSON.parse((await saved(page, "Save all measurements as JSON")).content);
        assert.equal(experiments[0].quantities[0].values.length, 3);
        // Beside what was recorded.
        const heads = await claim(page, "lora-merge").locator(".compare thead th").allInnerTexts();
        assert.deepEqual(heads, ["quantity", "predicted", "recorded", "here"]);
        // It is still there after a visit to the lab.
        await page.reload();
        await until(page, "lora-merge", "holds");
      });
    });
  }

  it("draws a figure with a name and a table twin, and saves it as SVG and PNG", async () => {
    await visiting("#experiments/spike", {}, async (page) => {
      await ready(page);
      await button(page, "Run it here: When a change shows in the spectrum").click();
      await until(page, "spike", "holds");
      const figure = claim(page, "spike").getByRole("img");
      assert.match(await figure.getAttribute("aria-label"), /When a change shows in the spectrum/);
      assert.ok((await figure.locator("circle").count()) >= 6);
      assert.equal(await claim(page, "spike").locator(".details tbody tr").count(), 6);
      const svg = await saved(page, "Save the figure of When a change shows in the spectrum as SVG");
      assert.equal(svg.name, "spike.svg");
      assert.match(svg.content, /^<svg xmlns=/);
      const png = await saved(page, "Save the figure of When a change shows in the spectrum as PNG", "latin1");
      assert.equal(png.content.slice(1, 4), "PNG");
      assert.ok(png.content.length > 5_000, "something is drawn");
    });
  });

  it("cancels what runs, and measures on", async () => {
    await visiting("#experiments", {}, async (page) => {
      await ready(page);
      await on(page, "cpu");
      await button(page, "Run it here: A mixture on real data").click();
      await claim(page, "digits-mixture").getByText(/seed 1 of 3 · [1-9]/).waitFor({ timeout: 30_000 });
      await button(page, "Cancel").click();
      await untouched(page, "digits-mixture");
      await ready(page);
      await button(page, "Run it here: An untrained adapter").click();
      await until(page, "zero-start", "holds");
    });
  });

  it("sweeps a grid and a curve", async () => {
    await visiting("#sweeps", {}, async (page) => {
      await ready(page);
      await on(page, "cpu");
      await page.getByLabel("Values of rank").fill("1, 4");
      await page.getByLabel("Values of learning rate").fill("0.01");
      await page.getByLabel("Steps").fill("30");
      await page.getByLabel("Seeds").fill("2");
      await page.keyboard.press("Tab");
      await page.getByText("4 runs of 30 steps").waitFor();
      await button(page, "Run sweep").click();
      await page.getByText(/^Done in/).waitFor({ timeout: 30_000 });
      assert.match(await page.getByRole("img").getAttribute("aria-label"), /Loss after 30 steps.* over rank and learning rate; least/);
      assert.equal(await page.locator(".swept rect.cell").count(), 2);
      assert.match(await page.locator(".swept tbody").innerText(), /± /);
      const csv = await saved(page, "Save the sweep as CSV");
      assert.equal(csv.content.trim().split("\n").length, 5);
      assert.equal(JSON.parse((await saved(page, "Save the sweep as JSON")).content).sweep.losses.length, 4);
      assert.equal((await saved(page, "Save the sweep's picture as PNG", "latin1")).content.slice(1, 4), "PNG");

      await page.getByLabel("Down").selectOption({ label: "nothing: a curve" });
      await button(page, "Run sweep").click();
      await page.locator(".swept circle").nth(2).waitFor({ timeout: 30_000 });
    });
  });

  it("says what is wrong with a sweep, and runs nothing", async () => {
    await visiting("#sweeps", {}, async (page) => {
      await ready(page);
      for (const [values, words] of [["1, banana", /banana/], ["", /at least one/], ["100000", /rank.*100000/]]) {
        await page.getByLabel("Values of rank").fill(values);
        await button(page, "Run sweep").click();
        const alert = page.getByRole("alert");
        await alert.filter({ hasText: words }).waitFor();
        await button(page, "Dismiss").click();
        assert.equal(await alert.count(), 0);
      }
    });
  });

  it("says when its worker cannot be loaded", async () => {
    const page = await site.visit("?paused");
    await trained(page, 0);
    await page.route("**/worker.js?studio", (route) => route.fulfill({ status: 404, body: "" }));
    await page.evaluate(() => (location.hash = "#experiments"));
    await page.locator("#studio").getByText(/worker that measures has stopped/).first().waitFor({ timeout: 20_000 });
    assert.equal(await page.getByText("Starting the worker").count(), 0, "nothing is started any more");
    await page.context().close();
  });

  it("says when the engine cannot be loaded", async () => {
    const missing = "const real = fetch; window.fetch = (what, ...rest) => real(String(what).replace('.wasm', '.missing'), ...rest);";
    const page = await site.visit("#experiments", { init: missing });
    await page.locator("#studio").getByText(/could not be started: .* status 404/).waitFor({ timeout: 20_000 });
    await page.context().close();
  });

  it("says when its part of the engine cannot be fetched, and fetches it when it is asked for again", async () => {
    const page = await site.visit("?paused");
    await trained(page, 0);
    await page.route("**/split_studio.wasm", (route) => route.abort());
    await page.evaluate(() => (location.hash = "#experiments"));
    await page.locator("#studio").getByText(/could not be loaded; opening it again tries once more/).waitFor({ timeout: 20_000 });
    await page.unroute("**/split_studio.wasm");
    await page.evaluate(() => (location.hash = ""));
    await page.evaluate(() => (location.hash = "#experiments"));
    await ready(page);
    await page.context().close();
  });

  it("names the file that an experiment misses", async () => {
    const page = await site.visit("#experiments");
    await page.context().route("**/digits.csv", (route) => route.fulfill({ status: 404, body: "" }));
    await ready(page);
    await on(page, "cpu");
    await button(page, "Run it here: A mixture on real data").click();
    const alert = page.getByRole("alert");
    await alert.waitFor({ timeout: 20_000 });
    assert.match(await alert.innerText(), /A mixture on real data.*digits\.csv.*404/);
    await untouched(page, "digits-mixture");
    await page.context().close();
  });

  it("says why the claims cannot be read, and reads them when the view opens again", async () => {
    const page = await site.visit("#sweeps");
    await page.route("**/claims.json", (route) => route.fulfill({ status: 404, body: "" }));
    await link(page, "Experiments").click();
    await page.getByRole("alert").filter({ hasText: /claims cannot be read: data\/claims\.json.*status 404/ }).waitFor();
    await page.unroute("**/claims.json");
    await page.route("**/claims.json", async (route) => {
      const text = await (await route.fetch()).text();
      await route.fulfill({ body: text.replace('"prediction"', '"guess"') });
    });
    await link(page, "Sweeps").click();
    await link(page, "Experiments").click();
    await page.getByRole("alert").filter({ hasText: /rank-floor: prediction/ }).waitFor();
    await page.unroute("**/claims.json");
    await link(page, "Sweeps").click();
    await link(page, "Experiments").click();
    await claim(page, "rank-floor").waitFor();
    assert.equal(await page.getByRole("alert").count(), 0);
    await page.context().close();
  });

  for (const colorScheme of ["light", "dark"]) {
    it(`fits a phone, in ${colorScheme}, and everything has a name`, async () => {
      await visiting("#experiments/spike", { viewport: { width: 390, height: 844 }, colorScheme }, async (page) => {
        await ready(page);
        for (const hash of ["#experiments/spike", "#sweeps"]) {
          await page.evaluate((hash) => (location.hash = hash), hash);
          await page.waitForTimeout(200);
          assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 390, `${hash} scrolls sideways`);
          const unnamed = await page.locator("#studio").locator("button, a, input, select").evaluateAll((all) =>
            all.filter((e) => !(e.textContent.trim() || e.getAttribute("aria-label") || e.labels?.length)).map((e) => e.outerHTML),
          );
          assert.deepEqual(unnamed, []);
        }
        assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), colorScheme);
      });
    });
  }
});

describe("the studio, without WebGPU", () => {
  let site;
  before(async () => (site = await openSite({ webgpu: false })));
  after(() => site?.close());

  it("measures on the CPU and says why", async () => {
    const page = await site.visit("#experiments");
    await ready(page);
    await page.getByText(/on the CPU, because WebGPU cannot be used here: ./).waitFor();
    await button(page, "Run it here: An untrained adapter").click();
    await until(page, "zero-start", "holds");
    assert.match(await claim(page, "zero-start").innerText(), /Measured here on the CPU/);
    await page.context().close();
  });
});
