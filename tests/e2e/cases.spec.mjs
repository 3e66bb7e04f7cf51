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

const texts = JSON.parse(readFileSync("dist/data/lm/texts.json", "utf8"));
const names = { deu_1996: "German", nld: "Dutch", swe: "Swedish", zul: "Zulu", rus: "Russian" };

describe("fifty languages", () => {
  let site;
  before(async () => (site = await openSite()));
  after(() => site?.close());

  const at = (code) => measured.codes.indexOf(code);
  // Bits per byte that the list says of an adapter, or of none.
  const listed = async (page, name) => Number(await page.locator(".bars li").filter({ has: page.locator(".who", { hasText: name }) }).locator("b").innerText());
  const read = (page, bytes) => page.getByText(new RegExp(`^Over ${bytes.toLocaleString("en")} bytes`)).waitFor({ timeout: 120_000 });

  it("reads a text live as it was measured, chooses its language, and switches", { timeout: 240_000 }, async () => {
    const page = await site.visit("#cases/languages");
    await page.getByText("Base and all adapters are there").waitFor({ timeout: 60_000 });
    for (const code of ["rus", "zul"]) {
      const own = at(code);
      // The very bytes that were measured.
      const held = new TextDecoder().decode(new TextEncoder().encode(texts[code].held).slice(0, measured.settings.held));
      const text = held.replace(/\uFFFD$/, "");
      const bytes = new TextEncoder().encode(text).length;
      await page.getByLabel("Text to read").fill(text);
      await read(page, bytes);
      assert.ok(Math.abs((await listed(page, names[code])) - measured.bits[own][own]) <= 0.01 + 0.005, code);
      assert.ok(Math.abs((await listed(page, "no adapter")) - measured.base[own]) <= 0.01 + 0.005, code);
      await page.getByText(`By the first 64 bytes the page chooses ${names[code]}'s adapter`).waitFor();
      await page.getByText(new RegExp(`Switched to ${names[code]}'s adapter in .*no weights uploaded`)).waitFor();
      assert.equal(await page.locator('.bars [aria-pressed="true"] .who').innerText(), names[code]);
    }
    await page.locator(".bars button").filter({ hasText: "no adapter" }).click();
    const said = page.getByText(/Switched to no adapter in/);
    await said.waitFor({ timeout: 30_000 });
    assert.ok(Math.abs(Number((await said.innerText()).match(/([\d.]+) bits per byte/)[1]) - measured.base[at("zul")]) <= 0.015);
    // All of it is of this site, and each file came once.
    const asked = languages(page).map((url) => url.split("/").at(-1));
    assert.deepEqual(asked.sort(), ["adapters.safetensors", "config.json", "languages.json", "model.safetensors"]);
    assert.deepEqual(page.errors, []);
    await page.context().close();
  });

  it("is the same on WebGPU and on the CPU", { timeout: 240_000 }, async () => {
    const page = await site.visit("#cases/languages");
    await page.getByText("Base and all adapters are there").waitFor({ timeout: 60_000 });
    await page.getByLabel("Text to read").fill("Alla människor är födda fria.");
    const found = {};
    for (const backend of ["CPU", /WebGPU/]) {
      await page.getByRole("group", { name: "Backend" }).getByRole("button", { name: backend }).click();
      await page.locator('[aria-label="Backend"] [aria-pressed="true"]', { hasText: backend }).waitFor({ timeout: 60_000 });
      await read(page, 32);
      found[backend] = await page.locator(".bars").innerText();
    }
    const [cpu, gpu] = Object.values(found).map((text) => text.match(/\d+\.\d\d/g).map(Number));
    assert.equal(cpu.length, gpu.length);
    cpu.forEach((bits, i) => assert.ok(Math.abs(bits - gpu[i]) <= 0.011, `${cpu} and ${gpu}`));
    assert.deepEqual(page.errors, []);
    await page.context().close();
  });

  it("says what could not be loaded, shows what was measured, and tries again when it is opened again", { timeout: 120_000 }, async () => {
    const page = await site.visit("#cases");
    await page.route("**/adapters.safetensors", (route) => route.abort());
    await page.getByRole("link", { name: "Fifty languages, one base" }).click();
    await page.getByText(/adapters\.safetensors: the site cannot be reached/).waitFor({ timeout: 30_000 });
    await page.getByRole("img", { name: /^Bits per byte against none/ }).waitFor();
    assert.ok(await page.getByRole("button", { name: "Add and measure" }).isDisabled());
    await page.unroute("**/adapters.safetensors");
    await page.getByRole("link", { name: "All cases" }).click();
    await page.getByRole("link", { name: "Fifty languages, one base" }).click();
    await page.getByText("Base and all adapters are there").waitFor({ timeout: 60_000 });
    await page.getByText(/^Over 234 bytes/).waitFor({ timeout: 60_000 });
    await page.context().close();
  });

  it("has room at every width", { timeout: 120_000 }, async () => {
    const page = await site.visit("#cases/languages");
    await page.locator(".bars").waitFor({ timeout: 60_000 });
    for (const [width, height] of [[390, 844], [640, 900], [1024, 768], [1280, 800], [1440, 900], [1920, 1080]]) {
      await page.setViewportSize({ width, height });
      await page.waitForTimeout(300);
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${width} px`);
      const boxes = await page.locator("#cases .fifty").evaluateAll((all) => all.map((one) => one.getBoundingClientRect()).map(({ left, right, top, bottom }) => ({ left, right, top, bottom })));
      const [a, b] = boxes;
      assert.ok(boxes.every(({ left, right, top, bottom }) => left >= 0 && right <= width && Math.abs(right - left - (bottom - top)) < 1), JSON.stringify(boxes));
      assert.ok(b.left > a.right || b.top > a.bottom, `${width} px: ${JSON.stringify(boxes)}`);
    }
    await page.context().close();
  });

  it("reads cells of the matrices by pointer and keyboard, and leads to the lab", { timeout: 120_000 }, async () => {
    const page = await site.visit("#cases/languages");
    await page.getByLabel("order").selectOption("as listed");
    const heat = page.getByRole("img", { name: /^Bits per byte against none/ });
    const box = await heat.boundingBox();
    const cell = box.width / 50;
    await heat.click({ position: { x: 0.5 * cell, y: 1.5 * cell } });
    const said = (of, on) => page.getByText(`${names[of]}'s adapter on ${names[on]}: ${measured.bits[at(of)][at(on)].toFixed(2)} bits per byte`);
    await said("nld", "deu_1996").waitFor();
    await page.keyboard.press("ArrowRight");
    await said("nld", "nld").waitFor();
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("Enter");
    await said("nld", "swe").waitFor();
    await page.getByText(`cosine of the two changes ${measured.cosine[1][2].toFixed(3)}`).waitFor();
    // Both, as PEFT's files, where adapters are compared; nothing is downloaded for it.
    const compare = page.getByRole("button", { name: "Compare Dutch's and Swedish's adapter" });
    await page.getByText("Base and all adapters are there").waitFor({ timeout: 60_000 });
    const asked = page.asked.length;
    await compare.click();
    const table = page.locator("#studio table").filter({ hasText: "q_proj" }).first();
    await table.waitFor({ timeout: 60_000 });
    assert.deepEqual(await page.locator("#studio .chooser select").evaluateAll((all) => all.map((select) => select.selectedOptions[0].label)), ["Dutch", "Swedish"]);
    await page.locator("#studio").getByText("model.safetensors").first().waitFor();
    assert.deepEqual(page.asked.slice(asked).filter((url) => url.includes("/data/")), []);
    await page.goBack();
    const anew = page.getByRole("link", { name: "Train Swedish's anew" });
    assert.equal(await anew.getAttribute("href"), "?task=text&languages=swe&sequence=64&seed=1&warmup=20&total=51&lanes=lora.r4.a8.lr0.02");
    await anew.click();
    await page.getByText(/language · Swedish/).first().waitFor({ timeout: 30_000 });
    await page.context().close();
  });

  it("adds several adapters and says where interference begins", { timeout: 240_000 }, async () => {
    const page = await site.visit("#cases/languages");
    const add = page.getByRole("button", { name: "Add and measure" });
    await page.getByText("Base and all adapters are there").waitFor({ timeout: 60_000 });
    await add.click();
    await page.getByText(/Interference of more than 0.1 bits/).waitFor({ timeout: 120_000 });
    const rows = (await page.locator(".merged tbody tr").allInnerTexts()).map((row) => row.split(/\s+/).map(Number));
    assert.deepEqual(rows.map(([count]) => count), [1, 2, 3, 4, 6, 8, 12]);
    // Alone, each way is the language's own adapter; these are half of the bytes that were measured.
    const [, ...one] = rows[0];
    assert.equal(new Set(one).size, 1);
    assert.ok(Math.abs(one[0] - measured.bits[0][0]) <= 0.3, `${one}`);
    // With others, factors added are worse than their sum.
    assert.ok(rows.slice(1).every(([, linear, cat, svd]) => linear > cat && Math.min(cat, svd) > one[0]), rows.join("; "));
    assert.deepEqual(page.errors, []);
    await page.context().close();
  });
});
