// Lessons as a visitor goes through them: predictions, answers, restoring, both languages, progress, phone.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { openSite, trained } from "./page.mjs";

const read = (name) => JSON.parse(readFileSync(`www/lessons/${name}`, "utf8"));
const LESSONS = read("index.json").lessons;
const words = read("index.en.json").words;

describe("lessons", () => {
  let site;
  before(async () => (site = await openSite()));
  after(() => site?.close());

  const column = (page) => page.locator("#lesson");
  const button = (page, name) => column(page).getByRole("button", { name, exact: true });
  const link = (page, name) => column(page).getByRole("link", { name, exact: true });
  const ready = (page) => button(page, words.show).waitFor({ timeout: 60_000 });
  const open = async (hash, options, query = "?lang=en") => {
    const page = await site.visit(`${query}${hash}`, options);
    await column(page).locator("h2").waitFor({ timeout: 60_000 });
    return page;
  };

  it("are asked for only when one is opened, and found in the navigation", { timeout: 120_000 }, async () => {
    const page = await site.visit("?lang=en");
    await trained(page, 5);
    const asked = () => page.asked.filter((url) => /lesson/.test(new URL(url).pathname));
    assert.deepEqual(asked(), []);
    await page.getByRole("link", { name: "Lessons", exact: true }).first().click();
    await column(page).getByRole("link", { name: read("index.en.json").lessons[LESSONS[0]].title }).waitFor();
    assert.ok(asked().length > 0);
    assert.equal(await column(page).locator("ol.lessons li").count(), LESSONS.length);
    // The list leaves the run alone, and closing brings the lab back as it was.
    await link(page, words.leave).click();
    await column(page).waitFor({ state: "hidden" });
    assert.deepEqual(page.errors, []);
    await page.context().close();
  });

  it("ask for a prediction, then tell the run's number; the next step goes on from there", { timeout: 180_000 }, async () => {
    const page = await open("#lesson/change");
    await ready(page);
    await button(page, "a little").click();
    await column(page).getByText(/Not quite/).waitFor();
    await column(page).getByText("That is: not at all.").waitFor();
    await link(page, words.next).click();
    await ready(page);
    await column(page).getByLabel(words.answer).fill("many");
    await button(page, words.predict).click();
    await column(page).getByText(words.refused).waitFor();
    await column(page).getByLabel(words.answer).fill("256");
    await page.keyboard.press("Enter");
    await column(page).getByText("Close. You said 256; the run says 256.").waitFor();
    await link(page, words.next).click();
    await ready(page);
    assert.match(await page.locator(".status").first().innerText(), /step 0\b/);
    await button(page, words.show).click();
    await column(page).getByText(/The run says 0\.(49|50)/).waitFor({ timeout: 90_000 });
    assert.match(await page.locator(".status").first().innerText(), /step 400/);
    assert.deepEqual(page.errors, []);
    await page.context().close();
  });

  it("bring their run back, whatever was done to it", { timeout: 180_000 }, async () => {
    const page = await open("#lesson/rank");
    await ready(page);
    assert.match(page.url(), /true_rank=16.*#lesson\/rank/);
    await page.getByLabel("Method of lane 1").selectOption("DoRA");
    await page.waitForFunction(() => /dora/.test(location.search));
    await button(page, words.restore).click();
    await page.waitForFunction(() => !/dora/.test(location.search));
    await ready(page);
    // A step in the middle is brought to where the steps before it lead.
    await page.evaluate(() => (location.hash = "#lesson/rank/3"));
    await ready(page);
    assert.match(await page.locator(".status").first().innerText(), /step 800/);
    await button(page, "it ends at the same place").click();
    await column(page).getByText(/^Right: it ends at the same place\. The run says 0\.36/).waitFor({ timeout: 60_000 });
    assert.deepEqual(page.errors, []);
    await page.context().close();
  });

  it("speak Chinese where it is asked for, and change in place", { timeout: 120_000 }, async () => {
    const page = await open("#lesson/change", {}, "?lang=zh");
    await column(page).locator(":lang(zh-Hans)").first().waitFor();
    await column(page).getByRole("heading", { name: read("index.zh.json").lessons.change.title }).waitFor();
    await column(page).getByText(/低秩适配 \(LoRA\)/).waitFor();
    await column(page).getByRole("button", { name: "完全不变" }).click();
    await column(page).getByText(/答对了/).waitFor({ timeout: 60_000 });
    await page.getByRole("button", { name: "English", exact: true }).first().click();
    await column(page).getByText(/^Right: not at all/).waitFor();
    assert.equal(await column(page).locator(".lesson[lang=en]").isVisible(), true);
    const browser = await site.visit("#lesson", { locale: "zh-CN" });
    await column(browser).getByRole("heading", { name: "课程" }).waitFor({ timeout: 60_000 });
    await Promise.all([page, browser].map((one) => one.context().close()));
  });

  it("keep how far one has come, and do without a store", { timeout: 120_000 }, async () => {
    const page = await open("#lesson/change");
    await ready(page);
    await button(page, words.show).click();
    await column(page).getByText(/The run says 0\./).waitFor();
    await page.reload();
    await column(page).locator("h2").waitFor();
    await link(page, words.all).click();
    await column(page).getByText("1 of 4 steps").waitFor();
    await page.context().close();
    const init = () => Object.defineProperty(window, "localStorage", { get: () => { throw new Error("forbidden"); } });
    const without = await open("#lesson/change", { init });
    await ready(without);
    await button(without, words.show).click();
    await column(without).getByText(/The run says 0\./).waitFor();
    await without.context().close();
  });

  it("say what is not there, and lead back", { timeout: 60_000 }, async () => {
    const page = await site.visit("?lang=en#lesson/nothing");
    await column(page).getByRole("alert").waitFor({ timeout: 60_000 });
    assert.equal(await column(page).getByRole("alert").innerText(), "There is no lesson “nothing”.");
    await link(page, words.all).last().click();
    await column(page).getByRole("heading", { name: words.lessons }).waitFor();
    await page.context().close();
  });

  it("are gone through by keyboard, and a formula's symbols light up what they stand for", { timeout: 120_000 }, async () => {
    const page = await open("#lesson/change");
    await ready(page);
    assert.equal(await page.evaluate(() => document.activeElement.id), "lesson-title");
    const outlined = (selector) => page.evaluate((s) => getComputedStyle(document.querySelector(s)).outlineStyle, selector);
    await page.locator("#method .way").waitFor();
    assert.equal(await outlined("#method"), "solid");
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.dataset.at), ".way .base, .way [data-part='W0']");
    await page.waitForFunction(() => getComputedStyle(document.querySelector(".way .base")).strokeWidth === "2px");
    for (let presses = 0; (await page.evaluate(() => document.activeElement.textContent)) !== "not at all"; presses++) {
      assert.ok(presses < 8, "Tab reaches the answers");
      await page.keyboard.press("Tab");
    }
    await page.keyboard.press("Space");
    await column(page).getByText(/^Right: not at all/).waitFor();
    await page.evaluate(() => (location.hash = "#lab"));
    await page.waitForFunction(() => getComputedStyle(document.querySelector("#method")).outlineStyle === "none");
    await page.context().close();
  });

  it("stand above their panel on a phone, and beside the lab elsewhere", { timeout: 120_000 }, async () => {
    for (const [width, height] of [[390, 844], [820, 1180], [1440, 900]]) {
      const page = await open("#lesson/change/2", { viewport: { width, height } });
      await ready(page);
      const seen = await page.evaluate(() => {
        const box = (selector) => document.querySelector(selector).getBoundingClientRect();
        const [column, panel, loss] = [box("#lesson"), box("#lanes"), box("#loss")];
        return { wide: document.documentElement.scrollWidth, column, panel, loss };
      });
      assert.equal(seen.wide, width, `no sideways scroll at ${width}`);
      if (width < 760) assert.ok(seen.column.bottom <= seen.panel.top && seen.panel.top < seen.loss.top, JSON.stringify(seen));
      else assert.ok(seen.column.right <= seen.panel.left, JSON.stringify(seen));
      await page.context().close();
    }
  });

  for (const id of LESSONS) {
    it(`point at what is on the page: ${id}`, { timeout: 300_000 }, async () => {
      const page = await open(`#lesson/${id}`);
      const { steps } = read(`${id}.json`);
      for (const [at, step] of steps.entries()) {
        const place = `${id} ${step.id}`;
        await column(page).getByText(`Step ${at + 1} of ${steps.length}`).waitFor();
        if (step.ask) await button(page, words.show).waitFor({ timeout: 120_000 });
        if (step.ask) {
          await button(page, words.show).click();
          await column(page).locator(".outcome").waitFor({ timeout: 200_000 });
          const said = await column(page).locator(".outcome").innerText();
          if (step.ask.choices) {
            const index = step.ask.choices.filter((end) => step.ask.value >= end).length;
            assert.ok(said.includes(read(`${id}.en.json`).steps[step.id].choices[index]), `${place} says: ${said}`);
          }
        }
        // Curves end where steps were made, and a way is drawn where it is seen.
        const symbols = (step.formula ?? "").split('data-at="').slice(1).map((rest) => rest.split('"')[0].replaceAll("&gt;", ">"));
        if (symbols.some((symbol) => symbol.startsWith(".way"))) await page.locator("#method").scrollIntoViewIfNeeded();
        for (const selector of [`#${step.panel}`, step.mark, ...symbols].filter(Boolean)) {
          const found = page.locator(`#app :is(${selector})`).first();
          await found.waitFor({ state: "attached", timeout: 15_000 }).catch(() => assert.fail(`${place}: nothing is ${selector}`));
        }
        if (at + 1 < steps.length) await link(page, words.next).click();
      }
      assert.deepEqual(page.errors, []);
      await page.context().close();
    });
  }
});
