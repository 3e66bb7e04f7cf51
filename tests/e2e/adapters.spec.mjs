// Real adapters in Chromium: opened through the file chooser, their numbers against PEFT's own, looked into, compared,
// saved and read again; and every kind of file that is none.
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { openSite } from "./page.mjs";
import { readSafetensors } from "./safetensors.mjs";
import { inLanguage } from "./words.mjs";

const CASES = "tests/fixtures/peft";
const adapter = (name) => ["adapter_model.safetensors", "adapter_config.json"].map((file) => `${CASES}/${name}/adapter/${file}`);
const base = (name) => `${CASES}/${name}/base/model.safetensors`;

const button = (page, name) => page.getByRole("button", { name, exact: true });

async function choose(page, files, from = /^(Open|Add) files…$/) {
  const [chooser] = await Promise.all([page.waitForEvent("filechooser"), page.getByRole("button", { name: from }).click()]);
  await chooser.setFiles(files);
}

// Every module is measured, and nothing is under way.
async function measured(page) {
  await page.getByText(/It changes|largest change is/).waitFor({ timeout: 20_000 });
  await page.locator(".under-way").waitFor({ state: "detached", timeout: 20_000 });
}

// The module table as { name: { column: text } }.
async function table(page) {
  return await page.locator(".modules table").evaluate((table) => {
    const texts = (row) => [...row.cells].map((cell) => cell.innerText.replace(/ [▾▴]$/, "").trim());
    const head = texts(table.tHead.rows[0]);
    return Object.fromEntries([...table.tBodies[0].rows].map((row) => texts(row)).map((row) => [row[0], Object.fromEntries(row.map((text, at) => [head[at], text]))]));
  });
}

// A number as the page writes it, to three digits.
const close = (text, value, what) => {
  const shown = Number(text.replace("−", "-").replaceAll(",", "").replace(" %", ""));
  assert.ok(Math.abs(shown - value) <= 0.0051 * Math.abs(value), `${what}: ${text} is not ${value}`);
};

describe("adapters", () => {
  let site, dir;
  before(async () => {
    site = await openSite({ webgpu: false });
    dir = await mkdtemp(join(tmpdir(), "adapters-"));
  });
  after(async () => {
    await site?.close();
    await rm(dir, { recursive: true });
  });

  async function visiting(options, body) {
    const page = await site.visit("#adapters", options);
    try {
      await button(page, "Try with a small one").waitFor({ timeout: 20_000 });
      await body(page);
      assert.deepEqual(page.errors, [], "errors in the console");
    } finally {
      await page.context().close();
    }
  }

  async function example(page) {
    await button(page, "Try with a small one").click();
    await measured(page);
  }

  // The files that a press saves, by name.
  async function saved(page, press, count) {
    const downloads = [];
    page.on("download", (download) => downloads.push(download));
    await press();
    for (let waited = 0; downloads.length < count && waited < 100; waited++) await page.waitForTimeout(100);
    assert.equal(downloads.length, count, "downloads");
    const files = [];
    for (const download of downloads) {
      const path = join(dir, download.suggestedFilename());
      await download.saveAs(path);
      files.push(path);
    }
    return files;
  }

  it("shows PEFT's own numbers of an adapter and its base", async () => {
    await visiting({}, async (page) => {
      await choose(page, [...adapter("llama_lora"), base("llama_lora")]);
      await measured(page);
      const rows = await table(page);
      const expected = JSON.parse(await readFile(`${CASES}/llama_lora/expected.json`, "utf8"));
      const weights = await readSafetensors(base("llama_lora"));
      assert.equal(Object.keys(rows).length, Object.keys(expected).length);
      for (const [key, { delta_frobenius: norm, delta_singular_values: singular }] of Object.entries(expected)) {
        const row = rows[key.replace(/\.weight$/, "")];
        assert.equal(row.rank, "8");
        close(row["‖ΔW‖"], norm, `${key} norm`);
        close(row["‖ΔW‖ / ‖W0‖"], (100 * norm) / Math.hypot(...weights[key].data), `${key} ratio`);
        close(row["stable rank"], norm ** 2 / singular[0] ** 2, `${key} stable rank`);
        close(row["top direction"], (100 * singular[0] ** 2) / norm ** 2, `${key} top direction`);
      }
      // Nothing left this machine: whatever was asked for came from the page's own folder.
      assert.ok(page.asked.every((url) => url.startsWith(site.server.origin) || url.startsWith("blob:") || url.startsWith("data:")));
    });
  });

  it("saves a figure as a picture that says what it is of", async () => {
    await visiting({}, async (page) => {
      await example(page);
      const picture = async (figure, form) => {
        await page.locator(`#${figure} .picture summary`).click();
        const [path] = await saved(page, () => page.locator(`#${figure} .picture`).getByRole("button", { name: new RegExp(`${form}$`) }).click(), 1);
        page.removeAllListeners("download");
        assert.equal(path, join(dir, `${figure}.${form.toLowerCase()}`));
        return readFile(path, "latin1");
      };
      const words = (svg) => [...svg.matchAll(/<text[^>]*>([^<]*)/g)].map(([, text]) => Buffer.from(text, "latin1").toString()).join("").replace(/\s/g, "");
      const adapter = await page.locator(".opened [aria-pressed=true]").first().innerText();
      const map = words(await picture("adapter-map", "SVG"));
      const link = `${new URL(page.url()).origin}/some/sub-path/#adapters`;
      for (const part of [`LoRAPlayground·Adapters·${adapter}`, link, ...(await page.locator("#adapter-map svg text").allTextContents())]) {
        assert.ok(map.includes(part.replace(/\s/g, "")), `"${part}" is not in ${map}`);
      }
      assert.equal((await picture("adapter-map", "PNG")).slice(1, 4), "PNG");
      await page.locator(".modules tbody button").first().click();
      await page.locator("#adapter-singular-values svg").waitFor();
      const module = await page.getByRole("combobox", { name: "Module" }).locator("option:checked").innerText();
      const bars = words(await picture("adapter-singular-values", "SVG"));
      assert.ok(bars.includes(`LoRAPlayground·Adapters·${adapter}·${module}`.replace(/\s/g, "")), bars);
    });
  });

  it("takes shapes that an adapter does not hold from a base opened later", async () => {
    await visiting({}, async (page) => {
      await choose(page, adapter("llama_vera_shapes"));
      await page.getByText(/the number of inputs is not in the file; open the base/).waitFor();
      await choose(page, [base("llama_vera_shapes")]);
      await measured(page);
      assert.equal(await page.getByText(/the number of inputs is not in the file/).count(), 0);
      await page.getByText(/VeRA of 3 modules, rank 6/).waitFor();
      const rows = await table(page);
      const expected = JSON.parse(await readFile(`${CASES}/llama_vera_shapes/expected.json`, "utf8"));
      assert.equal(Object.keys(rows).length, Object.keys(expected).length);
      for (const [key, { delta_frobenius: norm }] of Object.entries(expected)) {
        close(rows[key.replace(/\.weight$/, "")]["‖ΔW‖"], norm, `${key} norm`);
      }
    });
  });

  it("sorts, filters, maps any column and has a table twin of the map", async () => {
    await visiting({}, async (page) => {
      await example(page);
      await page.getByRole("columnheader", { name: "‖ΔW‖", exact: true }).getByRole("button").click();
      const norms = Object.values(await table(page)).map((row) => Number(row["‖ΔW‖"]));
      assert.deepEqual(norms, norms.toSorted((a, b) => b - a));
      await page.getByLabel("Filter").fill("q_proj -layers.0 -layers.3");
      await page.getByText("2 of 28 modules").waitFor();
      assert.deepEqual(Object.keys(await table(page)), ["model.layers.2.self_attn.q_proj", "model.layers.1.self_attn.q_proj"]);
      await page.getByLabel("Column of the map").selectOption("rank in use");
      assert.match(await page.locator(".map").getAttribute("aria-label"), /^rank in use of 7 modules in 4 layers/);
      await button(page, "Map as a table").click();
      assert.equal(await page.locator(".figure .tables tbody tr").count(), 4);
    });
  });

  it("looks into a module: weights, spectrum, a smaller rank, intruders", async () => {
    await visiting({}, async (page) => {
      await choose(page, [...adapter("llama_lora"), base("llama_lora")]);
      await measured(page);
      // By the keyboard, from the map.
      await page.locator(".map").focus();
      await page.keyboard.press("ArrowDown");
      await page.keyboard.press("Enter");
      await page.getByRole("img", { name: /^W0 \+ ΔW, 32 rows × 32 columns/ }).waitFor();
      const name = await page.getByLabel("Module", { exact: true }).evaluate((select) => select.selectedOptions[0].textContent);
      const merged = (await readSafetensors(`${CASES}/llama_lora/merged.safetensors`))[`${name}.weight`].data;
      const map = page.getByRole("img", { name: /^ΔW,/ });
      await map.focus();
      await page.keyboard.press("ArrowRight");
      await page.keyboard.press("ArrowRight");
      const told = await page.locator(".weights .readout").innerText();
      const [, w, d, sum] = told.match(/^\(0, 1\)\s+(\S+) (\S+) = (\S+)$/).map((text) => Number(text.replace("−", "-")));
      assert.ok(Math.abs(sum - merged[1]) < 6e-4 && Math.abs(w + d - sum) < 2e-3, told);
      const { delta_singular_values: singular } = JSON.parse(await readFile(`${CASES}/llama_lora/expected.json`, "utf8"))[`${name}.weight`];
      await page.getByLabel("Rank kept").fill("2");
      const energy = (values) => values.reduce((sum, v) => sum + v * v, 0);
      const line = await page.getByText(/^Rank 2 keeps/).innerText();
      const [, share, error] = line.match(/keeps (\S+ %) .* is (\S+ %)/);
      close(share, (100 * energy(singular.slice(0, 2))) / energy(singular), "share kept");
      close(error, 100 * Math.sqrt(energy(singular.slice(2)) / energy(singular)), "error");
      await button(page, "Zoom in").click();
      await page.getByRole("img", { name: /^W0, rows \d+ to \d+/ }).waitFor();
      await button(page, "Zoom out").click();
      await page.getByRole("img", { name: /^W0, 32 rows/ }).waitFor();
      await button(page, "Look for them").click();
      await page.getByText(/\d+ of the 10 leading directions are intruders/).waitFor();
    });
  });

  it("tells rows, columns and singular vectors as the weights have them", async () => {
    await visiting({}, async (page) => {
      await choose(page, [...adapter("llama_lora"), base("llama_lora")]);
      await measured(page);
      await page.getByRole("button", { name: "model.layers.0.self_attn.q_proj" }).click();
      const name = "model.layers.0.self_attn.q_proj.weight";
      const w0 = (await readSafetensors(base("llama_lora")))[name].data;
      const delta = (await readSafetensors(`${CASES}/llama_lora/merged.safetensors`))[name].data.map((v, i) => v - w0[i]);
      const rows = page.getByRole("img", { name: "Norms of ΔW of 32 rows" });
      await rows.focus();
      await page.keyboard.press("Home");
      await page.keyboard.press("ArrowRight");
      const told = await page.locator(".figure", { has: rows }).locator(".readout").innerText();
      const [, norm, share] = told.match(/^row 1: (\S+), (\S+ %) of ‖ΔW‖²$/);
      const square = (values) => values.reduce((sum, v) => sum + v * v, 0);
      close(norm, Math.sqrt(square(delta.slice(32, 64))), "norm of a row");
      close(share, (100 * square(delta.slice(32, 64))) / square(delta), "its share");
      await page.getByLabel("Weight whose norms are shown").selectOption("W0");
      const column = page.getByRole("img", { name: "Norms of W0 of 32 columns" });
      await column.focus();
      await page.keyboard.press("End");
      const last = await page.locator(".figure", { has: column }).locator(".readout").innerText();
      close(last.match(/^column 31: (\S+),/)[1], Math.sqrt(square(w0.filter((_, i) => i % 32 === 31))), "norm of a column");
      // The second direction: ΔW v = σ u.
      await page.getByLabel("Direction shown").fill("2");
      const { delta_singular_values: singular } = JSON.parse(await readFile(`${CASES}/llama_lora/expected.json`, "utf8"))[name];
      const said = await page.getByText(/^Direction 2 has σ/).innerText();
      close(said.match(/σ = (\S+),/)[1], singular[1], "singular value");
      await button(page, "Singular vectors of ΔW as a table").click();
      const table = page.locator(".figure", { hasText: "Singular vectors of ΔW" }).locator("tbody tr");
      const cells = await table.evaluateAll((lines) => lines.map((line) => [...line.cells].map((cell) => cell.innerText)));
      assert.equal(cells.length, 16);
      const number = (text) => Number(text.replace("−", "-"));
      const value = Math.abs(number(cells[0][2]));
      assert.ok(cells.every((row) => Math.abs(number(row[2])) <= value + 1e-3) && value <= 1);
    });
  });

  it("combines adapters into one that is opened beside them", async () => {
    await visiting({}, async (page) => {
      await choose(page, adapter("llama_lora"));
      await measured(page);
      await button(page, "Combine").click();
      await page.getByText("Combining takes two adapters").waitFor();
      await choose(page, adapter("llama_dora"));
      await measured(page);
      await choose(page, adapter("llama_lora"));
      await measured(page);
      await button(page, "Combine").click();
      // DoRA cannot be added without its base: which adapter that is, is said before anybody presses.
      await page.getByText(/ is DoRA \(.*\), whose changes .* cannot be added: give it the weight 0/).waitFor();
      assert.equal(await button(page, "Combine the adapters").isDisabled(), true);
      const weights = page.locator(".parts-of input");
      await weights.nth(1).fill("0");
      await weights.nth(1).press("Tab");
      await weights.nth(2).fill("-0.5");
      await weights.nth(2).press("Tab");
      await page.getByLabel("combination type").selectOption("cat");
      await page.getByText(/− 0\.500 .* \d: modules of rank 16 or less\.$/).waitFor();
      await button(page, "Combine the adapters").click();
      await page.getByText(/^Made .*4 modules: the weighted sum exactly/).waitFor();
      await measured(page);
      assert.equal(await page.locator(".opened").count(), 4);
      const expected = JSON.parse(await readFile(`${CASES}/llama_lora/expected.json`, "utf8"));
      // The adapter less half of itself.
      for (const [name, row] of Object.entries(await table(page))) {
        assert.equal(row.rank, "16");
        close(row["‖ΔW‖"], 0.5 * expected[`${name}.weight`].delta_frobenius, name);
      }
    });
  });

  it("names each kind of file that it cannot read, and keeps what is open", async () => {
    await visiting({}, async (page) => {
      await example(page);
      const bytes = await readFile(adapter("llama_lora")[0]);
      const bad = {
        "empty.safetensors": [Buffer.alloc(0), /empty\.safetensors: /],
        "cut.safetensors": [bytes.subarray(0, bytes.length - 100), /cut\.safetensors: /],
        "text.safetensors": [Buffer.from("this is no tensor at all, but words"), /text\.safetensors: /],
        "adapter_model.bin": [Buffer.from("PK"), /pickle.*save it as \.safetensors/],
        "adapter_config.json": [Buffer.from("{}"), /not its numbers/],
        "notes.json": [Buffer.from("{}"), /no part of an adapter/],
      };
      for (const [name, [content, words]] of Object.entries(bad)) {
        await writeFile(join(dir, name), content);
        await choose(page, [join(dir, name)]);
        await page.getByRole("alert").filter({ hasText: words }).waitFor({ timeout: 10_000 });
        assert.equal(Object.keys(await table(page)).length, 28, name);
      }
      await button(page, "Dismiss").click();
      assert.equal(await page.getByRole("alert").count(), 0);
      await choose(page, [base("gpt2_conv1d")]);
      await page.getByText("holds none of this adapter's weights").waitFor();
      assert.equal(Object.keys(await table(page)).length, 28);
    });
  });

  it("says what is wrong inside a file in the page's language", async () => {
    const t = inLanguage("zh");
    const page = await site.visit("?lang=zh#adapters");
    await button(page, t("Try with a small one")).waitFor({ timeout: 20_000 });
    const file = join(dir, "model.safetensors");
    await writeFile(file, Buffer.from("GGUF\u0003\0\0\0 and what follows in such a file"));
    await choose(page, [file], new RegExp(`^(${t("Open files…")}|${t("Add files…")})$`));
    const what = t("is a GGUF file of llama.cpp; choose the safetensors file that it was converted from");
    const said = page.getByRole("alert").filter({ hasText: `model.safetensors：${what}` });
    await said.waitFor({ timeout: 10_000 });
    assert.deepEqual(page.errors, []);
    await page.context().close();
  });

  it("compares two adapters", async () => {
    await visiting({}, async (page) => {
      await choose(page, adapter("llama_lora"));
      await measured(page);
      await button(page, "Compare").click();
      await page.getByText("Comparing takes two adapters").waitFor();
      await choose(page, adapter("llama_dora"));
      await measured(page);
      await button(page, "Compare").click();
      await page.locator(".chooser button").click();
      await page.getByText(/^In 4 modules that both adapt/).waitFor();
      await page.getByRole("button", { name: "model.layers.0.self_attn.q_proj" }).click();
      assert.equal(await page.getByText(/principal angles \d+°/).count(), 2);
      // With itself.
      await page.getByLabel("first").selectOption({ index: 0 });
      await page.getByLabel("second").selectOption({ index: 0 });
      await page.locator(".chooser button").click();
      await page.getByText(/do nearly the same: the mean cosine of ΔW is 1\.00/).waitFor();
    });
  });

  it("saves at another rank, and what it saved opens again", async () => {
    await visiting({}, async (page) => {
      await choose(page, adapter("llama_lora"));
      await measured(page);
      await button(page, "Save").click();
      await page.getByLabel("rank").fill("3");
      await page.getByLabel("only modules with").fill("q_proj");
      await page.getByText(/2 modules; rank 3 leaves out/).waitFor();
      const files = await saved(page, () => button(page, "Save the adapter").click(), 2);
      await page.getByText(/^Saved adapter_model\.safetensors and adapter_config\.json/).waitFor();
      const tensors = await readSafetensors(files.find((file) => file.endsWith(".safetensors")));
      assert.equal(Object.keys(tensors).length, 4);
      assert.ok(Object.entries(tensors).every(([name, { shape }]) => shape[name.includes("lora_A") ? 0 : 1] === 3));
      await choose(page, files);
      await button(page, "adapter 2").waitFor();
      await measured(page);
      const rows = await table(page);
      assert.deepEqual(Object.values(rows).map((row) => row.rank), ["3", "3"]);
      const expected = JSON.parse(await readFile(`${CASES}/llama_lora/expected.json`, "utf8"));
      for (const [name, row] of Object.entries(rows)) {
        close(row["‖ΔW‖"], Math.hypot(...expected[`${name}.weight`].delta_singular_values.slice(0, 3)), name);
      }
    });
  });

  it("merges into the base", async () => {
    const init = () => delete globalThis.showSaveFilePicker;
    await visiting({ init }, async (page) => {
      await choose(page, [...adapter("llama_lora"), base("llama_lora")]);
      await measured(page);
      await button(page, "Save").click();
      const [file] = await saved(page, () => button(page, "Merge and save").click(), 1);
      await page.getByText("Merged: 4 weights changed").waitFor();
      const merged = await readSafetensors(file);
      for (const [name, { data }] of Object.entries(await readSafetensors(`${CASES}/llama_lora/merged.safetensors`))) {
        assert.ok(data.every((v, i) => Math.abs(merged[name].data[i] - v) <= 1e-4 + 1e-3 * Math.abs(v)), name);
      }
      assert.equal(Object.keys(merged).length, Object.keys(await readSafetensors(base("llama_lora"))).length);
    });
  });

  it("keeps what is open while another part is shown, and takes what is dropped", async () => {
    await visiting({}, async (page) => {
      const content = (await readFile(adapter("llama_lora")[0])).toString("base64");
      const transfer = await page.evaluateHandle((text) => {
        const transfer = new DataTransfer();
        transfer.items.add(new File([Uint8Array.from(atob(text), (c) => c.charCodeAt(0))], "dropped.safetensors"));
        return transfer;
      }, content);
      await page.locator(".adapters").dispatchEvent("drop", { dataTransfer: transfer });
      await measured(page);
      await button(page, "dropped").waitFor();
      // Without its configuration the scaling is not known, which is said.
      await page.getByText(/scaling: without adapter_config\.json it is taken as 1/).waitFor();
      await page.getByRole("link", { name: "Sweeps", exact: true }).click();
      await page.getByRole("heading", { name: "Sweeps" }).waitFor();
      assert.equal(await button(page, "dropped").isVisible(), false);
      await page.getByRole("link", { name: "Adapters", exact: true }).click();
      await button(page, "dropped").waitFor();
      await button(page, "Close dropped").click();
      await button(page, "Try with a small one").waitFor();
    });
  });

  for (const colorScheme of ["light", "dark"]) {
    it(`fits a phone, in ${colorScheme}, and everything has a name`, async () => {
      await visiting({ viewport: { width: 390, height: 844 }, colorScheme }, async (page) => {
        await example(page);
        for (const part of ["Overview", "Module", "Compare", "Save"]) {
          await button(page, part).click();
          if (part === "Module") {
            await page.getByRole("img", { name: /^W0 \+ ΔW/ }).waitFor();
            await button(page, "Look for them").click();
            await page.getByText(/leading directions are/).waitFor();
          }
          assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 390, `${part} scrolls sideways`);
          const unnamed = await page.locator("#studio").locator("button, a, input, select, [role=img]").evaluateAll((all) =>
            all.filter((e) => !(e.textContent.trim() || e.getAttribute("aria-label") || e.labels?.length)).map((e) => e.outerHTML),
          );
          assert.deepEqual(unnamed, []);
        }
      });
    });
  }
});
