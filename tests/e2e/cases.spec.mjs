// Cases from practice as a visitor meets them, on the built page, with the data that it ships.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { openSite } from "./page.mjs";

const measured = JSON.parse(readFileSync("dist/data/lm/languages.json", "utf8"));
const languages = (page) => page.asked.filter((url) => url.includes("/data/lm/"));

describe("cases", () => {
  let site;
  before(async () => (site = await openSite()));
  after(() => site?.close());

  it("are listed, fetch nothing of theirs before they are opened, and lead back to the lab", { timeout: 120_000 }, async () => {
    const page = await site.visit("?paused");
    await page.locator("#app").getByRole("link", { name: "Cases" }).click();
    await page.getByRole("heading", { name: "Cases from practice" }).waitFor();
    assert.deepEqual(languages(page), []);
    await page.getByRole("link", { name: "Fifty languages, one base" }).click();
    await page.getByRole("heading", { name: "Fifty languages, one base" }).waitFor();
    await page.getByText("worse than none").waitFor();
    await page.getByRole("link", { name: "All cases" }).click();
    await page.getByRole("heading", { name: "Cases from practice" }).waitFor();
    await page.locator("#cases").getByRole("link", { name: "Lab", exact: true }).click();
    await page.locator("#app").getByRole("link", { name: "Cases" }).waitFor();
    assert.equal(await page.evaluate(() => document.activeElement.textContent), "Cases");
    assert.deepEqual(page.errors, []);
    await page.context().close();
  });

  it("says of fifty languages what was measured", { timeout: 60_000 }, async () => {
    const page = await site.visit("#cases/languages");
    const line = page.getByText("worse than none").first();
    const { bits, base } = measured;
    const count = base.length;
    let worse = 0;
    for (let i = 0; i < count; i++) for (let j = 0; j < count; j++) worse += i !== j && bits[i][j] > base[j];
    const best = base.filter((own, j) => bits.every((row, i) => (i === j ? row[j] < own : row[j] > bits[j][j]))).length;
    const said = (await line.innerText()).match(/\d[\d,]*/g).map((number) => Number(number.replaceAll(",", "")));
    assert.deepEqual(said.slice(0, 4), [best, count, worse, count * (count - 1)]);
    assert.deepEqual(page.errors, []);
    await page.context().close();
  });
});
