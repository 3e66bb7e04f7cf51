// The page in Chinese: every view says everything in it, the switch acts in place, and what is not there does no harm.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { openSite, step, trained } from "./page.mjs";
import { inLanguage } from "./words.mjs";

const t = inLanguage("zh");

// Sentences that are still English: three English words on end, in what is read or explained. Names of files, code, what a person or
// a model has written, sources, and the numbers of experiments (docs/LANGUAGES.md) are none.
const english = () => {
  const found = new Set();
  const look = (text, where) => {
    for (const [words] of (text ?? "").matchAll(/(?<![\w.])[A-Za-z][a-z']+(?:[ ,;:]+[a-z][a-z']+){2,}/g)) found.add(`${where}: ${words}`);
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const around = texts.currentNode.parentElement;
    if (!around.closest("script, style, noscript, textarea, .passage, .writing, code, .claim :is(svg, table), .claim .note")) look(texts.currentNode.data, around.tagName);
  }
  for (const attribute of ["data-why", "aria-label", "title", "placeholder"]) {
    for (const element of document.querySelectorAll(`[${attribute}]:not(.claim [role=img])`)) look(element.getAttribute(attribute), attribute);
  }
  return [...found];
};

const views = {
  "the lab": ["", (page) => trained(page, 60)],
  digits: ["task=digits&pretrain=50", (page) => trained(page, 20)],
  sensors: ["task=sensors&pretrain=50", (page) => trained(page, 20)],
  language: ["task=text&backend=cpu&batch=2&sequence=32", async (page) => {
    await trained(page, 2, 120_000);
    await page.locator("#held th[scope=row]").first().waitFor({ timeout: 90_000 });
  }],
  "four layers, every method": ["depth=4&lanes=adalora~dylora~dora~vera", (page) => trained(page, 20)],
  "a finished run": ["total=40&warmup=5", (page) => page.getByText(/已完成/).first().waitFor({ timeout: 60_000 })],
  "a link that is wrong": ["rank=eight&lanes=lora.r99&theme=pink", (page) => page.locator(".notice").first().waitFor()],
  "an embed": ["embed=loss,gates,weight", (page) => page.locator("#gates canvas").first().waitFor()],
  experiments: ["#experiments", (page) => page.locator(".claim").first().waitFor()],
  sweeps: ["#sweeps", (page) => page.getByRole("heading", { name: t("Sweeps") }).waitFor()],
  adapters: ["#adapters", async (page) => {
    await page.getByRole("button", { name: t("Try with a small one") }).click();
    await page.locator(".modules").first().waitFor();
  }],
  cases: ["#cases", (page) => page.getByRole("heading", { name: t("Cases from practice") }).waitFor()],
  languages: ["#cases/languages", (page) => page.locator(".bars").waitFor({ timeout: 90_000 })],
  "a missing sensor": ["#cases/sensors", (page) => page.locator(".by-pattern").first().waitFor()],
  "a lesson": ["#lesson/rank/1", (page) => page.getByText("第 1 步，共 4 步").waitFor()],
};

describe("in Chinese", () => {
  let site;
  before(async () => (site = await openSite()));
  after(() => site.close());

  for (const [name, [address, there]] of Object.entries(views)) {
    it(`everything is said: ${name}`, { timeout: 240_000 }, async () => {
      const page = await site.visit(address.startsWith("#") ? `?lang=zh${address}` : `?lang=zh&${address}`);
      await there(page);
      // Menus are made when they are opened.
      await page.evaluate(() => document.querySelectorAll("details > summary").forEach((summary) => summary.click()));
      await page.waitForTimeout(200);
      assert.deepEqual(await page.evaluate(english), []);
      assert.equal(await page.evaluate(() => document.documentElement.lang), "zh-Hans");
      assert.deepEqual(page.errors, []);
      await page.context().close();
    });
  }

  it("is spoken where the browser does, and to a visitor who has chosen it", { timeout: 90_000 }, async () => {
    const page = await site.visit("", { locale: "zh-CN" });
    await page.getByRole("button", { name: t("Pause"), exact: true }).waitFor({ timeout: 60_000 });
    const before = await trained(page, 5);
    await page.getByRole("button", { name: "English", exact: true }).first().click();
    await page.getByRole("button", { name: "Pause", exact: true }).waitFor();
    // In place: the run goes on.
    assert.ok((await step(page)) >= before);
    assert.equal(await page.evaluate(() => document.documentElement.lang), "en");
    await page.reload();
    await page.getByRole("button", { name: "Pause", exact: true }).waitFor({ timeout: 60_000 });
    assert.deepEqual(page.errors, []);
    await page.context().close();
  });

  it("is not asked for in English", { timeout: 60_000 }, async () => {
    const page = await site.visit("", { locale: "en-GB" });
    await trained(page, 1);
    assert.deepEqual(page.asked.filter((url) => url.includes("locales/")), []);
    await page.context().close();
  });

  it("leaves the page in English where it cannot be had", { timeout: 60_000 }, async () => {
    const init = () => {
      const own = window.fetch;
      window.fetch = (what, ...more) => (String(what).includes("locales/") ? Promise.resolve(new Response("", { status: 404 })) : own(what, ...more));
    };
    const page = await site.visit("?lang=zh", { init });
    await trained(page, 1);
    await page.getByRole("button", { name: "Pause", exact: true }).waitFor();
    assert.equal(await page.evaluate(() => document.documentElement.lang), "en");
    await page.context().close();
  });
});
