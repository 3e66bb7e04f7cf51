// Every view, light and dark, wide and on a phone, in English and Chinese (each two of these together), as axe sees it: nothing that it calls a fault of any kind.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { openSite, trained } from "./page.mjs";
import { inLanguage } from "./words.mjs";

const source = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

// Address, and what tells that the view is there; `t` says it in the page's language.
const views = {
  "the lab": ["", (page) => trained(page, 20)],
  digits: ["?task=digits&pretrain=50", (page) => trained(page, 5)],
  sensors: ["?task=sensors&pretrain=50", (page) => trained(page, 5)],
  language: ["?task=text&lanes=lora.r2~mor1e.n4.running", (page) => trained(page, 2)],
  "own files": ["?task=text&paused=true", async (page, t) => {
    await page.locator("#loss").waitFor();
    await page.locator(".task summary").click();
    await page.getByText(t("Your own model and text")).waitFor();
  }],
  "an embed": ["?embed=loss,gates,weight", (page) => page.locator("#gates canvas").first().waitFor()],
  "one panel": ["?embed=experts", (page) => page.locator("#experts canvas").first().waitFor()],
  "a lesson in an embed": ["?embed=loss&height=auto#lesson/rank/1", (page) => page.getByText(/Step 1 of 4|第 1 步，共 4 步/).waitFor()],
  experiments: ["#experiments", (page, t) => page.getByRole("heading", { name: t("Claims about low-rank adaptation, put to the test") }).waitFor()],
  sweeps: ["#sweeps", (page, t) => page.getByRole("heading", { name: t("Sweeps") }).waitFor()],
  adapters: ["#adapters", (page) => page.locator("#studio").getByRole("heading").first().waitFor()],
  cases: ["#cases", (page, t) => page.getByRole("heading", { name: t("Cases from practice") }).waitFor()],
  "a personal model": ["#cases/personal", (page) => page.locator(".students").waitFor({ timeout: 60_000 })],
  "a missing sensor": ["#cases/sensors", (page) => page.locator(".by-pattern").first().waitFor()],
  languages: ["#cases/languages", (page) => page.locator(".bars").waitFor()],
  lessons: ["#lesson", (page) => page.getByRole("link", { name: /What rank costs|秩的代价/ }).waitFor()],
  "a lesson": ["#lesson/rank/1", (page) => page.getByText(/Step 1 of 4|第 1 步，共 4 步/).waitFor()],
};

const [wide, phone] = [{ width: 1440, height: 900 }, { width: 390, height: 844 }];
// Every language in either theme and at either width, and every theme at either width.
const looks = [["en", "light", wide], ["en", "dark", phone], ["zh", "dark", wide], ["zh", "light", phone]];

describe("axe finds nothing", () => {
  let site;
  before(async () => (site = await openSite()));
  after(() => site.close());

  for (const [name, [address, there]] of Object.entries(views)) {
    for (const [code, colorScheme, viewport] of looks) {
      it(`on ${name}, ${code}, ${colorScheme}, ${viewport.width} px`, { timeout: 120_000 }, async () => {
        const query = address.startsWith("?") ? address.replace("?", `?lang=${code}&`) : `?lang=${code}${address}`;
        const page = await site.visit(query, { viewport, colorScheme });
        await there(page, inLanguage(code));
        await page.evaluate(source);
        const { violations } = await page.evaluate((values) => globalThis.axe.run(document, { runOnly: values }), rules);
        const found = violations.map((one) => `${one.id}: ${one.nodes.map((node) => `${node.html} ${node.failureSummary}`).slice(0, 3).join("; ")}`);
        assert.deepEqual(found, []);
        await page.context().close();
      });
    }
  }
});
