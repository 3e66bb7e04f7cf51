// Figures in other people's pages: whole in a frame of 640 × 400, with the run's buttons, its sentence and the way back.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { openSite } from "./page.mjs";
import { inLanguage } from "./words.mjs";

const FRAME = { width: 640, height: 400 };

// Panels, what tells that there is something to see, and what is done there at most.
const canvas = (id) => (page) => page.locator(`#${id} canvas`).first().waitFor({ timeout: 60_000 });
const PANELS = {
  lanes: ["?embed=lanes", (page) => page.locator("#lanes .bars").first().waitFor()],
  loss: ["?embed=loss", (page) => page.locator("#loss .end .value").first().waitFor()],
  "loss of digits": ["?embed=loss&task=digits&pretrain=50", (page) => page.locator("#loss .accuracy td").first().waitFor({ timeout: 60_000 })],
  gates: ["?embed=gates", async (page) => {
    await canvas("gates")(page);
    await page.locator("#gates .experts button").nth(1).click();
    await page.getByText("What expert 2 carries").waitFor();
  }],
  method: ["?embed=method", canvas("method")],
  weight: ["?embed=weight", async (page) => {
    await canvas("weight")(page);
    await page.getByLabel("Lane of the weight").selectOption("MoLoRA");
    await page.locator("#weight .merges td").nth(10).waitFor({ timeout: 60_000 });
  }],
  experts: ["?embed=experts", canvas("experts")],
  ranks: ["?embed=ranks", (page) => page.locator("#cuts .cut").first().waitFor({ timeout: 60_000 })],
  digits: ["?embed=digits&pretrain=50", async (page) => {
    const pad = page.getByRole("img", { name: /Drawing pad/ });
    await pad.waitFor({ timeout: 60_000 });
    const { x, y } = await pad.boundingBox();
    await page.mouse.move(x + 70, y + 20);
    await page.mouse.down();
    await page.mouse.move(x + 75, y + 120, { steps: 12 });
    await page.mouse.up();
    await page.locator(".answer").nth(4).waitFor({ timeout: 60_000 });
  }],
  text: ["?embed=text", (page) => page.locator("#text .passage .tint").first().waitFor({ timeout: 120_000 })],
  held: ["?embed=held&paused", (page) => page.locator("#held td.tint").first().waitFor({ timeout: 120_000 })],
  map: ["?embed=map", canvas("map")],
  "an experiment's figure": ["?embed=experiment:dylora", (page) => page.locator(".drawn svg circle").first().waitFor({ timeout: 60_000 })],
  "an adapter's map": ["?embed=adapter:map", (page) => page.locator(".map rect").nth(20).waitFor({ timeout: 60_000 })],
  "an adapter's spectrum": ["?embed=adapter:spectrum&adapter=data/adapter/example", (page) => page.locator(".singular .kept").nth(3).waitFor({ timeout: 60_000 })],
  writing: ["?embed=writing", (page) => page.locator("#writing input").waitFor({ timeout: 60_000 })],
};

describe("a figure in a frame of 640 × 400", () => {
  let site;
  before(async () => (site = await openSite()));
  after(() => site?.close());

  for (const [name, [address, there]] of Object.entries(PANELS)) {
    it(`shows its whole without scrolling: ${name}`, { timeout: 180_000 }, async () => {
      const page = await site.visit(address, { viewport: FRAME });
      await there(page);
      await page.waitForTimeout(500);
      const cut = await page.evaluate(() => {
        const root = document.documentElement;
        const said = [];
        const main = document.querySelector("main");
        if (root.scrollWidth > innerWidth || root.scrollHeight > innerHeight) said.push(`the page is ${root.scrollWidth} × ${root.scrollHeight}`);
        if (main.scrollHeight > main.clientHeight + 1) said.push(`the figure is ${main.scrollHeight} high in ${main.clientHeight}`);
        const right = main.getBoundingClientRect().right;
        const wide = [...main.querySelectorAll(".panel *")].filter((e) => e.getBoundingClientRect().width > 0 && e.getBoundingClientRect().right > right + 1);
        said.push(...wide.slice(0, 3).map((e) => `<${e.tagName} class="${e.getAttribute("class")}"> "${e.textContent.slice(0, 30)}" ends at ${e.getBoundingClientRect().right}`));
        return said;
      });
      assert.deepEqual(cut, []);
      assert.equal(await page.locator("main .panel").count() > 0, true);
      assert.deepEqual(page.errors, []);
      await page.context().close();
    });
  }

  it("has the run's buttons, its sentence, a caption with the way back, and its theme", { timeout: 60_000 }, async () => {
    const t = inLanguage("zh");
    const page = await site.visit("?embed=loss&seed=3&theme=dark&lang=zh&paused", { viewport: FRAME, colorScheme: "light" });
    await page.getByRole("button", { name: t("Step"), exact: true }).click();
    await page.getByText(/^第 1 步 ·/).waitFor();
    await page.getByRole("button", { name: t("Run"), exact: true }).click();
    await page.getByText(/^现在：/).first().waitFor();
    await page.getByRole("button", { name: t("Pause"), exact: true }).click();
    assert.equal(await page.evaluate(() => document.documentElement.lang), "zh-Hans");
    assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "dark");
    const back = page.getByRole("link", { name: /LoRA Playground/ });
    assert.equal(await back.getAttribute("href"), `${site.server.origin}/some/sub-path/?seed=3`);
    assert.equal(await page.getByRole("alert").count(), 0, "theme and lang are refused");
    // The system's theme is not followed where one was asked for.
    await page.emulateMedia({ colorScheme: "dark" });
    await page.emulateMedia({ colorScheme: "light" });
    assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "dark");
    await page.context().close();
  });

  it("says what is wrong with a figure of the studio, and takes a theme but no command of a run", { timeout: 60_000 }, async () => {
    const page = await site.visit("?embed=experiment:rank", { viewport: FRAME });
    await page.getByText(/there is no figure "experiment:rank"; there are adapter:map, .*top-k/).waitFor();
    await page.goto(`${site.server.origin}/some/sub-path/?embed=adapter:map&adapter=https://example.org/mine`);
    await page.getByText(/https:\/\/example\.org is another site/).waitFor();
    await page.goto(`${site.server.origin}/some/sub-path/preview.html#${encodeURIComponent('<lora-playground panels="experiment:dylora" theme="light"></lora-playground>')}`);
    const frame = page.frameLocator("iframe");
    await frame.locator(".drawn svg circle").first().waitFor();
    const said = await page.evaluate(() => new Promise((done) => {
      const element = document.querySelector("lora-playground");
      element.addEventListener("error", ({ detail }) => done(detail.message));
      element.run();
    }));
    assert.match(said, /^run: this figure is of what was measured/);
    await page.evaluate(() => document.querySelector("lora-playground").setAttribute("theme", "dark"));
    await frame.locator("html[data-theme=dark] .drawn svg circle").first().waitFor();
    assert.equal(page.asked.some((url) => url.includes("example.org/mine/")), false);
    await page.context().close();
  });

  it("says in words what a run has not", { timeout: 60_000 }, async () => {
    const page = await site.visit("?embed=digits,experts,ranks&task=domains&lanes=full~lora.r2", { viewport: FRAME });
    await page.getByText("put task=digits into the address").waitFor();
    await page.getByText("no lane of this run has experts").waitFor();
    await page.getByText("are fixed numbers").waitFor();
    await page.context().close();
  });
});
