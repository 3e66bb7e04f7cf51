// A visitor's own text and model on the page: opened through its file inputs, trained on, read and written; files that cannot
// be opened, which harm nothing.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { llama } from "./llama.mjs";
import { SMOLLM, writeModel } from "./model.mjs";
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

  // What the page shows of a passage is held against a Llama in plain numbers, and that against what transformers and PEFT computed.
  it("begins a lane from an adapter that PEFT saved", async () => {
    const of = `${OWN}/llama_gqa`;
    const expected = JSON.parse(readFileSync(`${of}/expected.json`, "utf8"));
    const models = [[llama(of), "logits of the last token"], [llama(of, `${of}/adapter`), "with adapter"]];
    for (const [model, key] of models) {
      const far = Math.max(...model.logits(expected.ids).at(-1).map((value, i) => Math.abs(value - expected[key][i])));
      assert.ok(far < 1e-4, `${key}: ${far}`);
    }
    // A passage on the page begins with the token that marks it.
    const bits = models.map(([model]) => model.bits([0, ...expected.ids.slice(0, -1)], expected.ids));
    await visiting(async (page) => {
      await open(page, [...folder("llama_gqa"), ...["adapter_config.json", "adapter_model.safetensors"].map((name) => `${of}/adapter/${name}`)]);
      await open(page, [text("mine.txt", expected.text.repeat(12))]);
      await page.getByText(/Adapter adapter: LoRA r4, on q_proj, v_proj, down_proj, .* numbers/).waitFor({ timeout: 120_000 });
      await button(page, "Train on these").click();
      await page.locator(".task summary").filter({ hasText: "language · mine" }).waitFor();
      await page.locator(".task summary").click();
      assert.match(page.url(), /lanes=lora\.r4\.a8\.[^~]*q_proj-v_proj-down_proj[^~]*from_adapter~/);
      await page.getByLabel("Text to read").selectOption("typed in");
      await page.getByLabel("Text to be read").fill(expected.text);
      await page.locator("#text").getByText(/typed in · [1-9]\d* tokens · step 0/).waitFor({ timeout: 30_000 });
      await button(page, "Text as a table").click();
      const rows = await page.locator("#text table").filter({ hasText: "Bits that each character cost" }).locator("tbody tr").all();
      let compared = 0;
      for (const row of rows) {
        const [shown, ...read] = await row.locator("th, td").allInnerTexts();
        // Where a character takes several tokens their bits are one number.
        if (!/^[ -~]*$/.test(shown)) break;
        for (const model of [0, 1]) assert.ok(Math.abs(Number(read[model]) - bits[model][compared]) < 0.0051, `${shown}: ${read[model]}, not ${bits[model][compared]}`);
        compared += 1;
      }
      assert.ok(compared >= 15, `${compared} tokens`);
      const apart = bits[0].slice(0, compared).filter((value, i) => Math.abs(value - bits[1][i]) > 0.05).length;
      assert.ok(apart > compared / 2, "the adapter changes what is read");
      await button(page, "Text as a table").click();
      await button(page, "Run").click();
      await trained(page, 20);
      await button(page, "Pause").click();
      await button(page, "Reset").click();
      await page.locator("#text").getByText(/typed in · [1-9]\d* tokens · step 0/).waitFor({ timeout: 30_000 });
    }, "?task=text&paused=true&backend=cpu&lanes=lora.r4.lr0.01~molora.n2.r2.lr0.02");
  });

  it("says what an adapter lacks to begin a lane", async () => {
    await visiting(async (page) => {
      const adapter = `${OWN}/llama_gqa/adapter`;
      await open(page, [`${adapter}/adapter_model.safetensors`]);
      await page.getByRole("alert").filter({ hasText: "adapter_config.json and adapter_model.safetensors; open its whole folder" }).waitFor();
      const config = { ...JSON.parse(readFileSync(`${adapter}/adapter_config.json`, "utf8")), use_dora: true };
      await open(page, [{ name: "adapter_config.json", mimeType: "application/json", buffer: Buffer.from(JSON.stringify(config)) },
        { name: "adapter_model.safetensors", mimeType: "application/octet-stream", buffer: readFileSync(`${adapter}/adapter_model.safetensors`) }]);
      await page.getByRole("alert").filter({ hasText: /cannot begin a lane: .*use_dora/ }).waitFor();
    });
    const page = await site.visit("?task=text&lanes=lora.r4.from_notes");
    await page.getByText(/there is no adapter "notes"; this run begins from a person's own adapter, which no link carries/).waitFor({ timeout: 30_000 });
    await page.context().close();
  });

  // SmolLM-135M's dimensions but for the number of blocks; the whole of it is bench/large.mjs.
  for (const backend of ["cpu", "webgpu"]) {
    it(`says what a large model takes before it is read, and trains it, on ${backend}`, async () => {
      const dir = mkdtempSync(join(tmpdir(), "own-"));
      try {
        const { files } = writeModel(dir, { ...SMOLLM, layers: 2 }, 3);
        await visiting(async (page) => {
          await open(page, files);
          await page.getByText(/2 layers of width 576, 9 heads \(3 for keys and values\), 49,152 tokens, 35\.4 million parameters in BF16/).waitFor();
          await page.locator(".own-fit").getByText(/For 1 lane of 1 × 32 tokens, it takes .* weights, as 32-bit numbers 14\d MB.*Nothing of its weights is read yet\./).waitFor();
          if (backend === "webgpu") await page.locator(".own-fit").getByText(/weights, with 16 bits where their file has 16 7\d(\.\d)? MB/).waitFor();
          await page.getByText(/A step of 1 lane takes about .* in each of 2 layers, .* in the head, timed on one layer\./).waitFor({ timeout: 240_000 });
          await open(page, [text("mine.txt", RHYME)]);
          await button(page, "Train on these").click();
          await page.locator(".task summary").filter({ hasText: "language · mine" }).waitFor();
          await page.locator(".task summary").click();
          await button(page, "Run").click();
          await trained(page, 2, 240_000);
          await button(page, "Pause").click();
          await page.locator("#text").getByText(/\d+ tokens · step/).waitFor({ timeout: 240_000 });
          await page.getByRole("img", { name: /^ΔW, 576 outputs × 576 inputs/ }).waitFor({ timeout: 120_000 });
        }, `?task=text&paused=true&backend=${backend}&batch=1&sequence=32&lanes=lora.r8.lr0.001`);
      } finally {
        rmSync(dir, { recursive: true, force: true });
      }
    });
  }

  it("refuses what does not fit, with the numbers, and can leave the time of a step unmeasured", async () => {
    const dir = mkdtempSync(join(tmpdir(), "own-"));
    try {
      const { files } = writeModel(dir, { ...SMOLLM, layers: 2 });
      await visiting(async (page) => {
        await open(page, files);
        await open(page, [text("mine.txt", RHYME)]);
        await page.getByRole("alert").filter({ hasText: /It takes .* GB of the page's memory, of at most 3\.9 GB: take fewer lanes, fewer or shorter passages, or a smaller model\./ }).waitFor();
        assert.equal(await button(page, "Train on these").count(), 0);
      }, "?task=text&paused=true&backend=cpu&batch=64&sequence=64&lanes=lora.r8~lora.r4~lora.r2~lora.r1");
      await visiting(async (page) => {
        await open(page, files);
        await button(page, "Cancel timing a step").click();
        await page.getByText("Timing a step on one layer").waitFor({ state: "detached" });
        assert.equal(await page.getByText(/timed on one layer/).count(), 0);
        await button(page, "Remove the model").click();
        await page.getByText("the page's small one, 467,808 parameters").waitFor();
        assert.equal(await page.locator(".own-fit").count(), 0);
      }, "?task=text&paused=true&backend=cpu&batch=8&sequence=128&lanes=lora.r8");
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });

  it("trains on a table of one's own, beside what least squares leaves", async () => {
    const table = (name, content) => ({ name, mimeType: "text/csv", buffer: Buffer.from(content) });
    // Every row of a two-level design: what no weight reaches is known, the product of a and b, a quarter of y's variance.
    const signs = (row) => [0, 1, 2].map((bit) => (row >> bit) & 1 ? 1 : -1);
    const rows = Array.from({ length: 8 }, (_, row) => signs(row)).map(([a, b, c]) => [a, b, c, 100 + 3 * a + Math.sqrt(3) * a * b]);
    const csv = (rows) => ["a;b;c;y", ...rows.map((row) => row.join(";"))].join("\n");
    const holes = rows.map(([a, b, c, y], row) => [a, row === 2 ? "" : b, c, row === 4 ? "?" : y]);
    await visiting(async (page) => {
      const input = page.getByLabel("Own table");
      await input.setInputFiles([table("holes.csv", csv(holes))]);
      await page.getByRole("alert").filter({ hasText: "line 4: column b is empty; fill the hole or leave the row out" }).waitFor();
      await page.getByRole("alert").filter({ hasText: 'line 6: column y holds "?", which is no number' }).waitFor();
      assert.equal(await button(page, "Train on this table").count(), 0);
      await input.setInputFiles([table("plant.csv", csv(rows))]);
      await page.getByText("plant.csv: 8 rows, 3 in (a, b, c), 1 out (y). Every step trains on all rows.").waitFor();
      assert.equal(await page.getByRole("alert").count(), 0);
      await button(page, "Train on this table").click();
      await page.locator(".task summary").filter({ hasText: "custom data" }).waitFor();
      await page.locator(".task summary").click();
      await page.locator("#loss").getByText("floor, any single W").waitFor();
      await button(page, "Run").click();
      await trained(page, 250);
      await button(page, "Pause").click();
      // A share of the variance: 1 − R².
      const losses = await page.getByRole("group", { name: "Line ends and floors" }).evaluate((ends) => ends.textContent);
      assert.match(losses, /floor, any single W *0\.25/);
      assert.match(losses, /full fine-tuning *0\.25/);
      // Another table in its place is trained on by the same press.
      await page.locator(".task summary").click();
      await input.setInputFiles([table("plain.csv", csv(rows.map(([a, b, c]) => [a, b, c, 2 * a])))]);
      await page.getByText("plain.csv: 8 rows").waitFor();
      await button(page, "Train on this table").click();
      await page.waitForFunction(() => /floor, any single W *(exactly 0|0(?!\.)|\d\.\d+e-)/.test(document.querySelector('[aria-label="Line ends and floors"]')?.textContent ?? ""), null, { timeout: 20_000 });
    }, "?paused=true&lanes=full~molora.n4.r2&lr=0.05");
    const page = await site.visit("?task=custom");
    await page.getByText(/there is no table "custom"; this run is on a person's own table, which no link carries/).waitFor({ timeout: 30_000 });
    await page.context().close();
  });

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
