// A visitor's own text and model on the page: opened through its file inputs, trained on, read and written; files that cannot
// be opened, which harm nothing.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { openSite, status, trained } from "./page.mjs";

const OWN = "tests/fixtures/lm/own";
const button = (page, name) => page.getByRole("button", { name, exact: true });
const folder = (name) => readdirSync(`${OWN}/${name}`, { withFileTypes: true }).filter((one) => one.isFile()).map((one) => `${OWN}/${name}/${one.name}`);
const text = (name, content) => ({ name, mimeType: "text/plain", buffer: Buffer.from(content) });
const RHYME = "Twas brillig, and the slithy toves did gyre and gimble in the wabe; all mimsy were the borogoves. ".repeat(30);

describe("a visitor's own model and text", () => {
  let site;
  before(async () => {
    site = await openSite();
  });
  after(() => site?.close());

  async function visiting(body, query = "?task=text&paused=true&lanes=lora.r4.lr0.01~molora.n2.r2.lr0.02", options = {}) {
    const page = await site.visit(query, options);
    try {
      await page.locator("#loss").waitFor({ timeout: 60_000 });
      await page.locator(".task summary").click();
      await body(page);
      assert.deepEqual(page.errors, [], "errors in the console");
    } finally {
      await page.context().close();
    }
  }
  const open = (page, files) => page.getByLabel("Own texts").setInputFiles(files);

  it("trains the page's small model on own texts", async () => {
    await visiting(async (page) => {
      await open(page, [text("rhyme.txt", RHYME)]);
      await page.getByRole("rowheader", { name: "rhyme" }).waitFor();
      const cells = await page.locator(".own-texts tbody td").allInnerTexts();
      const [train, held] = cells.map((cell) => Number(cell.replaceAll(",", "")));
      assert.equal(train + held, Buffer.byteLength(RHYME));
      await page.getByLabel("or paste text").fill("A second text. ".repeat(60));
      await button(page, "Add the pasted text").click();
      await page.getByRole("rowheader", { name: "pasted" }).waitFor();
      await page.getByLabel("held out, %").fill("40");
      await page.getByLabel("held out, %").press("Tab");
      await page.getByText(Math.round(Buffer.byteLength(RHYME) * 0.4).toLocaleString("en")).waitFor();
      await button(page, "Train on these").click();
      await page.locator(".task summary").filter({ hasText: "language · rhyme, pasted" }).waitFor();
      await page.locator(".task summary").click();
      await button(page, "Run").click();
      await trained(page, 30);
      // Both are languages of their own, in the table of held-out text too, beside none of the page's.
      const told = async () => (await page.locator("#held").innerText()).replaceAll("\n", " ");
      for (let waited = 0; !/rhyme/.test(await told()) && waited < 200; waited++) await page.waitForTimeout(100);
      assert.match(await told(), /rhyme.*pasted/);
      assert.doesNotMatch(await told(), /English/);
      assert.match(page.url(), /model=custom&languages=rhyme~pasted/);
    });
  });

  for (const name of ["llama_gqa", "qwen2_bias_sharded"]) {
    it(`trains on a model of another form, ${name}`, async () => {
      await visiting(async (page) => {
        await open(page, folder(name));
        await page.getByText(/layers of width .* heads .* tokens, .* parameters in/).waitFor();
        const { text: content } = JSON.parse(readFileSync(`${OWN}/${name}/expected.json`, "utf8"));
        await open(page, [text("mine.txt", content.repeat(12))]);
        await button(page, "Train on these").click();
        await page.locator(".task summary").filter({ hasText: "language · mine" }).waitFor();
        await page.locator(".task summary").click();
        await button(page, "Run").click();
        await trained(page, 40);
        await button(page, "Pause").click();
        // Its tokens are no bytes, and are not said to be.
        await page.locator("#text").getByText(/\d+ tokens · step/).waitFor();
        await page.getByText(/bits per token of held-out text/).waitFor({ timeout: 30_000 });
        assert.equal(await page.getByText(/bits per byte/).count(), 0);
        await page.getByLabel("Text to read").selectOption("typed in");
        await page.getByLabel("Text to be read").fill("Alle Menschen sind frei");
        await page.locator("#text").getByText(/typed in · [1-9]\d* tokens/).waitFor();
        assert.equal((await page.locator(".passage .tint").allInnerTexts()).join("").trim(), "Alle Menschen sind frei");
      });
    });
  }

  it("says why files cannot be opened, and keeps the run", async () => {
    await visiting(async (page) => {
      await open(page, [text("latin.txt", "")].map((file) => ({ ...file, buffer: Buffer.from([0x61, 0xe9]) })));
      await page.getByRole("alert").filter({ hasText: "latin.txt: is no UTF-8 text from byte 1 on; save it as UTF-8" }).waitFor();
      await open(page, folder("llama_gqa").filter((path) => !path.endsWith("tokenizer.json")));
      await page.getByRole("alert").filter({ hasText: "has no tokenizer.json" }).waitFor();
      await open(page, [text("short.txt", "too short")]);
      await button(page, "Train on these").click();
      await page.getByText(/text "short": expected a held-out part of at least one passage of 64 tokens/).waitFor();
      await button(page, "Run").click();
      await trained(page, 3);
      assert.match(await status(page).innerText(), /step/);
    });
  });

  it("says what a link to somebody's own text lacks", async () => {
    const page = await site.visit("?task=text&model=custom&languages=notes&lanes=lora.r4");
    await page.getByText(/there is no text "notes"; this run is on a person's own text, which no link carries/).waitFor({ timeout: 30_000 });
    await page.context().close();
  });
});
