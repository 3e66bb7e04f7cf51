// The page in Chromium: what a visitor sees, can do, and can not break.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { readSafetensors } from "./safetensors.mjs";
import { BASE, openSite, status, step, still, trained } from "./page.mjs";

const button = (page, name) => page.getByRole("button", { name, exact: true });
const slider = (page, name) => page.getByRole("slider", { name, exact: true });

describe("the page, with WebGPU", () => {
  let site;
  before(async () => (site = await openSite()));
  after(() => site?.close());

  // Runs `body` on a fresh visit, and fails on anything the page reported as an error.
  async function visiting(query, options, body) {
    const page = await site.visit(query, options);
    try {
      await body(page);
      assert.deepEqual(page.errors, [], "errors in the console");
    } finally {
      await page.context().close();
    }
  }

  it("trains four lanes by itself, and asks no other host for anything", async () => {
    await visiting("", {}, async (page) => {
      await trained(page, 20);
      assert.match(await status(page).innerText(), /WebGPU/i);
      for (const name of ["LoRA rank", "MoLoRA rank", "MoR1E experts"]) {
        assert.equal(await slider(page, name).count(), 1, `slider "${name}"`);
      }
      for (const name of ["Pause", "Step", "Reset", "Share"]) assert.equal(await button(page, name).count(), 1, `button "${name}"`);
      const foreign = page.asked.filter((url) => !url.startsWith(`${site.server.origin}${BASE}`) && !url.startsWith("data:") && !url.startsWith("blob:"));
      assert.deepEqual(foreign, []);
      assert.ok(page.asked.length > 3, "requests were seen at all");
    });
  });

  it("shows everything of the first view at 1440×900 without scrolling, each figure with a name", async () => {
    await visiting("", {}, async (page) => {
      await trained(page, 5);
      const size = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.scrollHeight]);
      assert.ok(size[0] <= 1440 && size[1] <= 900, `the page is ${size.join(" × ")}`);
      const figures = await page.getByRole("img").evaluateAll((all) =>
        all.map((e) => ({ name: e.getAttribute("aria-label") ?? "", box: e.getBoundingClientRect().toJSON() })),
      );
      for (const { name, box } of figures) {
        assert.ok(name.trim(), "every figure has a name");
        assert.ok(box.top >= 0 && box.bottom <= 900, `"${name}" is in view`);
      }
      for (const wanted of [/loss/i, /gate/i, /W0|weight/i]) {
        assert.ok(figures.some(({ name }) => wanted.test(name)), `a figure named like ${wanted}`);
      }
    });
  });

  it("saves the lane under inspection: PEFT's files, or of a mixture its parameters", async () => {
    await visiting("?backend=cpu&paused", { acceptDownloads: true }, async (page) => {
      // The learning rate begins at 0.
      for (const done of [1, 2]) {
        await button(page, "Step").click();
        await trained(page, done);
      }
      const saved = [];
      page.on("download", (download) => saved.push(download));
      const press = async (count) => {
        await button(page, "Save adapter").click();
        while (saved.length < count) await page.waitForTimeout(50);
      };
      await press(2);
      const [adapter, config] = saved;
      assert.deepEqual([adapter, config].map((file) => file.suggestedFilename()), ["adapter_model.safetensors", "adapter_config.json"]);
      const tensors = await readSafetensors(await adapter.path());
      assert.deepEqual(tensors["base_model.model.layers.0.lora_A.weight"].shape, [8, 64]);
      assert.ok(tensors["base_model.model.layers.0.lora_B.weight"].data.some((value) => value !== 0), "B has moved");
      const { peft_type, r, lora_alpha } = JSON.parse(await readFile(await config.path(), "utf8"));
      assert.deepEqual([peft_type, r, lora_alpha], ["LORA", 8, 16]);
      await page.getByLabel("Lane of the weight").selectOption({ label: "MoLoRA" });
      await press(3);
      assert.equal(saved[2].suggestedFilename(), "molora.safetensors");
      const mixture = await readSafetensors(await saved[2].path());
      assert.deepEqual(mixture["layers.0.lora_A"].shape, [4, 2, 64]);
    });
  });

  it("draws how every method works, with nothing flowing at first", async () => {
    for (const lanes of ["full~lora~dora~vera", "mora~adalora~dylora~lora.pissa", "molora~mor1e~mor1e.prototype~mor1e.flex2"]) {
      await visiting(`?lanes=${lanes}&paused`, {}, async (page) => {
        await trained(page, 0);
        const panel = page.locator("#method");
        const tabs = await panel.locator(".tab").allInnerTexts();
        assert.equal(tabs.length, 4);
        const adds = async () => (await panel.locator("svg text", { hasText: /^adds / }).textContent()).slice("adds ".length);
        const begins = [];
        for (const [at, name] of tabs.entries()) {
          await panel.locator(".tab").nth(at).click();
          await panel.getByRole("img", { name: `${name.trim()}: one token's way through the layer` }).waitFor();
          begins.push(await adds());
          // No two words stand on each other, nothing leaves the picture.
          const { boxes, frame } = await panel.locator("svg").evaluate((svg) => {
            const box = (e) => ({ text: e.textContent, ...e.getBoundingClientRect().toJSON() });
            return { boxes: [...svg.querySelectorAll("text")].filter((e) => e.textContent).map(box), frame: box(svg) };
          });
          for (const [i, a] of boxes.entries()) {
            assert.ok(a.left >= frame.left - 1 && a.right <= frame.right + 1 && a.top >= frame.top - 2 && a.bottom <= frame.bottom + 1, `${name}: "${a.text}" is in the picture`);
            for (const b of boxes.slice(i + 1)) {
              const over = Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 4;
              assert.ok(!over, `${name}: "${a.text}" and "${b.text}"`);
            }
          }
          const painted = await panel.locator("canvas").evaluate((e) => new Set(e.getContext("2d").getImageData(0, 0, e.width, e.height).data).size);
          assert.ok(painted > 20, `${name}: heatmaps are painted`);
        }
        assert.deepEqual(begins.map((value, at) => (value === "0") !== /PiSSA/.test(tabs[at])), [true, true, true, true], `${tabs}: ${begins}`);
        await button(page, "Run").click();
        await trained(page, 30);
        for (const [at, name] of tabs.entries()) {
          await panel.locator(".tab").nth(at).click();
          await panel.getByRole("img", { name: `${name.trim()}: one token's way through the layer` }).waitFor();
          await page.waitForFunction(() => [...document.querySelectorAll("#method svg text")].some((e) => /^adds [^0]|^adds 0\./.test(e.textContent)), null, { timeout: 10_000 });
        }
      });
    }
  });

  it("draws the way of the token and without the expert that are chosen", async () => {
    await visiting("?lanes=molora", {}, async (page) => {
      await trained(page, 60);
      await button(page, "Pause").click();
      const panel = page.locator("#method");
      const says = () => panel.locator("svg").innerHTML();
      const first = await says();
      await panel.getByRole("spinbutton", { name: "Token drawn" }).fill("40");
      await panel.getByRole("spinbutton", { name: "Token drawn" }).press("Enter");
      await page.waitForFunction((first) => document.querySelector("#method svg").innerHTML !== first, first, { timeout: 10_000 });
      const gates = () => panel.locator("path.gate").evaluateAll((all) => all.map((e) => e.getAttribute("class")));
      assert.deepEqual(await gates(), ["gate", "gate", "gate", "gate"]);
      await panel.locator("path.gate").nth(1).dispatchEvent("click");
      await page.waitForFunction(() => document.querySelectorAll("#method path.gate.off").length === 1, null, { timeout: 10_000 });
      assert.equal(await page.getByRole("button", { name: /^Expert 2 of/ }).getAttribute("aria-pressed"), "true");
    });
  });

  it("lets what a lane's controls act on stand out while one points at them", async () => {
    await visiting("", {}, async (page) => {
      await trained(page, 30);
      await button(page, "Pause").click();
      const seen = () => page.evaluate(() => [...document.querySelectorAll("#loss .end")].map((end) => [end.classList[1], getComputedStyle(end).opacity]));
      assert.ok((await seen()).length > 3 && (await seen()).every(([, opacity]) => opacity === "1"));
      // What follows the pointer is drawn with the page's next rendering, so it is waited for.
      const stands = (what, told) => page.waitForFunction(what, told, { timeout: 10_000 });
      await page.locator(".lane-2 .slider").hover();
      await stands(() => [...document.querySelectorAll("#loss .end")].every((end) => (getComputedStyle(end).opacity === "1") === end.classList.contains("lane-2")));
      // The rank: A and B in the drawing, the lane's curve, its change and the change's spectrum.
      const lit = (selector) => stands((selector) => {
        const all = [...document.querySelectorAll(selector)].map((one) => getComputedStyle(one));
        return all.length > 0 && all.every((style) => style.outlineWidth === "2px" && style.outlineStyle === "solid" || ["2px", "3.5px"].includes(style.strokeWidth));
      }, selector);
      await page.locator(".lane-1 .slider").hover();
      for (const selector of [".way.lane-1 :is(.own, [data-part=A], [data-part=B])", "#loss .curve.lane-1", "#weight .spectrum.lane-1", "#weight .maps > :nth-child(3)"]) await lit(selector);
      await page.mouse.move(0, 0);
      await stands(() => getComputedStyle(document.querySelector(".way [data-part=A]")).strokeWidth !== "2px");
      // An expert: its A, B and gate in the drawing, by keyboard too.
      await page.locator("#method").getByRole("button", { name: "MoLoRA" }).click();
      await page.locator(".way.lane-2 [data-branch='3']").first().waitFor();
      await page.getByRole("button", { name: /^Expert 3 of MoLoRA/ }).focus();
      for (const part of ["A", "B"]) await lit(`.way.lane-2 [data-part=${part}][data-branch='2']`);
      const strokes = () => page.locator(".way.lane-2 path.gate").evaluateAll((all) => all.map((gate) => getComputedStyle(gate).stroke));
      const [third, ...others] = await strokes().then((all) => [all[2], all[0], all[1], all[3]]);
      assert.ok(others.every((other) => other === others[0] && other !== third), `${third}, ${others}`);
    });
  });

  it("pauses, steps, runs and resets", async () => {
    await visiting("", {}, async (page) => {
      await trained(page, 5);
      await button(page, "Pause").click();
      assert.ok(await still(page), "paused");
      const paused = await step(page);
      await button(page, "Step").click();
      await trained(page, paused + 1);
      assert.ok(await still(page), "one step only");
      assert.equal(await step(page), paused + 1);
      await button(page, "Run").click();
      await trained(page, paused + 10);
      await button(page, "Pause").click();
      await page.waitForTimeout(500);
      await button(page, "Reset").click();
      await page.waitForFunction(() => /step\s*0\b/i.test(document.querySelector('[role="status"]')?.textContent ?? ""), null, { timeout: 15_000 });
    });
  });

  it("waits when the link says ?paused", async () => {
    await visiting("?paused", {}, async (page) => {
      await trained(page, 0);
      assert.ok(await button(page, "Run").isEnabled());
      assert.ok(await still(page));
      assert.equal(await step(page), 0);
      await button(page, "Run").click();
      await trained(page, 3);
    });
  });

  it("pauses while its tab is hidden", async () => {
    await visiting("", {}, async (page) => {
      await trained(page, 5);
      const hide = (hidden) =>
        page.evaluate((hidden) => {
          Object.defineProperty(document, "hidden", { get: () => hidden, configurable: true });
          document.dispatchEvent(new Event("visibilitychange"));
        }, hidden);
      await hide(true);
      assert.ok(await still(page));
      const hidden = await step(page);
      await hide(false);
      await trained(page, hidden + 5);
    });
  });

  it("waits when the visitor wants less motion", async () => {
    await visiting("", { reducedMotion: "reduce" }, async (page) => {
      await trained(page, 0);
      assert.ok(await button(page, "Run").isEnabled());
      assert.ok(await still(page));
      assert.equal(await step(page), 0);
    });
  });

  it("changes a rank in mid-training without starting again, and shares it", async () => {
    await visiting("", {}, async (page) => {
      await trained(page, 30);
      const rank = slider(page, "LoRA rank");
      const before = Number(await rank.inputValue());
      await rank.focus();
      await page.keyboard.press("ArrowRight");
      await page.waitForFunction((old) => Number(document.querySelector('input[type="range"][aria-label="LoRA rank"]')?.value) > old, before);
      const chosen = await rank.inputValue();
      assert.ok((await trained(page, 30)) >= 30, "the step went on");
      await trained(page, (await step(page)) + 20);

      await button(page, "Share").click();
      await page.waitForTimeout(300);
      const link = await page.evaluate(() => navigator.clipboard.readText());
      assert.ok(link.startsWith(`${site.server.origin}${BASE}`), link);
      const changed = Number(link.match(/[?&]then=(\d+)\.1\.lora\.r/)?.[1]);
      assert.ok(changed >= 30, `the link says at which step: ${link}`);
      await visiting(link.slice(`${site.server.origin}${BASE}`.length), {}, async (copy) => {
        await trained(copy, 3);
        assert.equal(await slider(copy, "LoRA rank").inputValue(), String(before), "as the run began");
        await trained(copy, changed + 5);
        assert.equal(await slider(copy, "LoRA rank").inputValue(), chosen);
        const mark = copy.getByRole("group", { name: "Changes on the way" }).locator("g");
        assert.equal(await mark.getAttribute("aria-label"), `Step ${changed}: LoRA, rank ${before} → ${chosen}.`);
        assert.ok(copy.url().includes(`then=${changed}.1.lora.r${chosen}`), "and so says its address");
      });
    });
  });

  // Query, and what the message has to name.
  for (const [query, words] of [
    ["?no_such_key=1", ["no_such_key", "1"]],
    ["?seed=banana", ["seed", "banana"]],
    ["?lanes=magic", ["magic"]],
    ["?lanes=lora.r0", ["rank", "0"]],
    ["?embed=nothing", ["embed", "nothing"]],
    ["?then=40.9.lora.r2", ["then[0]", "40.9.lora.r2", "0 to 3"]],
  ]) {
    it(`says what is wrong with ${query}, and works all the same`, async () => {
      await visiting(query, {}, async (page) => {
        await trained(page, 3);
        const alert = page.getByRole("alert").filter({ hasText: words[0] }).first();
        await alert.waitFor({ timeout: 10_000 });
        const text = await alert.innerText();
        for (const word of words) assert.ok(text.includes(word), `"${text}" names ${word}`);
      });
    });
  }

  it("runs what a link says, whatever a site has put behind it", async () => {
    const run = "seed=7&lanes=full~lora.r2";
    for (const [more, alerts] of [["&utm_source=x&fbclid=y&gclid=z&ref=w", 0], ["&colour=red", 1]]) {
      await visiting(`?${run}${more}`, {}, async (page) => {
        await trained(page, 3);
        assert.equal(await slider(page, "LoRA rank").inputValue(), "2");
        assert.equal(await slider(page, "MoLoRA rank").count(), 0);
        assert.equal(await page.getByRole("alert").count(), alerts);
        await button(page, "Share").click();
        assert.ok((await page.getByRole("textbox", { name: "Link to this run" }).inputValue()).endsWith(`?${run}`));
      });
    }
  });

  // What is drawn of each panel, as boxes: what another element cuts off or scrolls ends where that does.
  const drawn = (page) =>
    page.locator(".panel").evaluateAll((panels) =>
      panels.map((panel) => {
        const box = { left: Infinity, right: -Infinity, top: Infinity, bottom: -Infinity };
        for (const element of [panel, ...panel.querySelectorAll("*")]) {
          if (!element.checkVisibility({ visibilityProperty: true })) continue;
          let { left, right, top, bottom, width, height } = element.getBoundingClientRect();
          if (!width || !height) continue;
          for (let outer = element.parentElement; outer !== panel.parentElement && outer; outer = outer.parentElement) {
            if (!(outer instanceof HTMLElement) || getComputedStyle(outer).overflowX === "visible") continue;
            const frame = outer.getBoundingClientRect();
            [left, right] = [Math.max(left, frame.left), Math.min(right, frame.right)];
            [top, bottom] = [Math.max(top, frame.top), Math.min(bottom, frame.bottom)];
          }
          if (left >= right || top >= bottom) continue;
          box.left = Math.min(box.left, left);
          box.right = Math.max(box.right, right);
          box.top = Math.min(box.top, top);
          box.bottom = Math.max(box.bottom, bottom);
        }
        return { id: panel.id, ...box };
      }),
    );

  for (const query of ["", "?task=digits&pretrain=100"]) {
    it(`has room for every panel at every width, with ${query || "the default task"}`, async () => {
      await visiting(query, {}, async (page) => {
        await trained(page, 10, 120_000);
        if (query) {
          const pad = page.getByLabel(/^Drawing pad/).first();
          await pad.scrollIntoViewIfNeeded();
          const box = await pad.boundingBox();
          await page.mouse.move(box.x + box.width / 2, box.y + box.height * 0.2);
          await page.mouse.down();
          await page.mouse.move(box.x + box.width / 2, box.y + box.height * 0.8, { steps: 4 });
          await page.mouse.up();
          await page.getByLabel(/most probable \d/).first().waitFor({ timeout: 15_000 });
        }
        await button(page, "Pause").click();
        for (const width of [1440, 1280, 1024, 760, 390]) {
          await page.setViewportSize({ width, height: 900 });
          // Charts are drawn anew to the new size.
          await page.waitForTimeout(500);
          const wide = await page.evaluate(() => document.scrollingElement.scrollWidth);
          assert.ok(wide <= width, `${wide} px of ${width}`);
          const panels = await drawn(page);
          assert.ok(panels.length >= 4, `${panels.length} panels`);
          for (const [index, one] of panels.entries()) {
            assert.ok(one.right <= width, `${one.id} ends at ${one.right} of ${width} px`);
            for (const other of panels.slice(index + 1)) {
              const across = Math.min(one.right, other.right) - Math.max(one.left, other.left);
              const down = Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top);
              assert.ok(across <= 1 || down <= 1, `at ${width} px ${one.id} and ${other.id} overlap by ${across} × ${down} px`);
            }
          }
        }
      });
    });
  }

  it("shows only the panels that an embedding asks for", async () => {
    await visiting("?embed=loss", { viewport: { width: 640, height: 400 } }, async (page) => {
      await page.getByRole("img", { name: /loss/i }).first().waitFor({ timeout: 30_000 });
      assert.equal(await page.getByRole("img", { name: /gate|W0/i }).count(), 0);
    });
  });

  it("can be worked by keyboard", async () => {
    await visiting("?paused", {}, async (page) => {
      await page.getByRole("button", { name: "Run", exact: true, disabled: false }).waitFor({ timeout: 30_000 });
      const reached = new Set();
      for (let presses = 0; presses < 150; presses++) {
        await page.keyboard.press("Tab");
        const name = await page.evaluate(() => {
          const focused = document.activeElement;
          return focused?.getAttribute("aria-label") || focused?.textContent?.trim() || "";
        });
        reached.add(name);
      }
      for (const name of ["Run", "Step", "Reset", "Share", "LoRA rank", "MoLoRA rank", "MoR1E experts"]) {
        assert.ok(reached.has(name), `Tab reaches "${name}"; it reached ${[...reached].join(", ")}`);
      }
      await button(page, "Run").focus();
      await page.keyboard.press("Enter");
      await trained(page, 2);
    });
  });

  it("fits a phone without sideways scrolling, in both themes", async () => {
    for (const colorScheme of ["light", "dark"]) {
      await visiting("", { viewport: { width: 390, height: 844 }, hasTouch: true, colorScheme }, async (page) => {
        await trained(page, 3);
        const width = await page.evaluate(() => document.documentElement.scrollWidth);
        assert.ok(width <= 390, `${width} px wide`);
        const small = await page.getByRole("button").evaluateAll((all) =>
          all.map((e) => [e.textContent.trim(), e.getBoundingClientRect()]).filter(([, box]) => box.width && (box.height < 43.5 || box.width < 43.5)).map(([name, box]) => `${name} ${box.width}×${box.height}`),
        );
        assert.deepEqual(small, [], "touch targets under 44 px");
      });
    }
  });

  it("reads the values under the pointer", async () => {
    await visiting("", {}, async (page) => {
      await trained(page, 30);
      await button(page, "Pause").click();
      const point = async (name, x, y) => {
        const box = await page.getByRole("img", { name }).first().boundingBox();
        await page.mouse.move(box.x + box.width * x, box.y + box.height * y);
      };
      // 64 outputs × 64 inputs: rows go down, columns to the right.
      await point(/^W0,/, 0.26, 0.51);
      await page.locator("#weight .readout").filter({ hasText: /^\(32, 16\) .* = / }).waitFor({ timeout: 5_000 });
      await point(/experts × domains/, 0.9, 0.1);
      await page.locator("#gates .readout").filter({ hasText: /^expert 1 on .*: mean gate 0?\.?\d/ }).waitFor({ timeout: 5_000 });
      await point(/^Loss over/, 0.05, 0.5);
      assert.match(await page.locator("#loss .readout").innerText(), /log scale/, "left of the axis there is no step");
      await point(/^Loss over/, 0.1, 0.5);
      await page.locator("#loss .readout").filter({ hasText: /^step \d+: .*LoRA 0\.\d/ }).waitFor({ timeout: 5_000 });
    });
  });

  it("switches an expert off by a click on its row, and shows what it carried", async () => {
    await visiting("", {}, async (page) => {
      await trained(page, 100);
      const box = await page.getByRole("img", { name: /experts × domains/ }).boundingBox();
      await page.mouse.click(box.x + box.width / 2, box.y + box.height * 0.4);
      await page.getByRole("button", { name: /^Expert 2 of MoLoRA: off/ }).waitFor({ timeout: 10_000 });
      await page.getByText(/What expert 2 carries/).waitFor({ timeout: 10_000 });
    });
  });

  it("gives every figure a table twin", async () => {
    await visiting("?paused", {}, async (page) => {
      await button(page, "Run").waitFor({ timeout: 30_000 });
      await button(page, "Step").click();
      await trained(page, 1);
      const twins = page.getByRole("button", { name: /as a table$/i });
      const count = await twins.count();
      assert.ok(count >= 3, `${count} buttons for tables`);
      await twins.first().click();
      const table = page.getByRole("table").first();
      await table.waitFor({ timeout: 5_000 });
      assert.ok((await table.getByRole("cell").count()) > 0, "the table has cells");
    });
  });

  it("trains on digits, shows that it pretrains, and answers a drawing", async () => {
    await visiting("?task=digits", {}, async (page) => {
      await page.getByRole("progressbar", { name: "Pretraining" }).waitFor({ timeout: 30_000 });
      await trained(page, 10, 120_000);
      const pad = page.getByLabel(/^Drawing pad/).first();
      await pad.scrollIntoViewIfNeeded();
      const box = await pad.boundingBox();
      await page.mouse.move(box.x + box.width / 2, box.y + box.height * 0.2);
      await page.mouse.down();
      await page.mouse.move(box.x + box.width / 2, box.y + box.height * 0.8, { steps: 12 });
      await page.mouse.up();
      await page.getByLabel(/most probable \d/).first().waitFor({ timeout: 15_000 });
      // Ink where the pointer was, and nowhere else.
      const ink = await pad.evaluate((pad) => {
        const canvas = pad.querySelector("canvas");
        const at = (x, y) => canvas.getContext("2d").getImageData(canvas.width * x, canvas.height * y, 1, 1).data.join();
        return { line: [at(0.5, 0.3), at(0.5, 0.7)], paper: [at(0.1, 0.1), at(0.1, 0.8), at(0.9, 0.5)] };
      });
      assert.equal(new Set(ink.line).size, 1);
      assert.equal(new Set(ink.paper).size, 1);
      assert.notEqual(ink.line[0], ink.paper[0]);
    });
  });

  it("is at most 840 KB before the first step, data aside, with one engine whose studio is fetched when it is opened", async () => {
    const files = (await readdir("dist", { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
    const paths = files.map((entry) => join(entry.parentPath ?? entry.path, entry.name)).filter((path) => !path.startsWith(join("dist", "data")));
    const sizes = await Promise.all(paths.map(async (path) => [path, gzipSync(await readFile(path), { level: 9 }).length]));
    const total = (sizes) => sizes.reduce((sum, [, size]) => sum + size, 0);
    const said = sizes.map(([path, size]) => `${path} ${size}`).join(", ");
    // What is cut off: the studio, lessons, cases, and chunks that several of them need, as the script that fetches them says.
    const script = await readFile(join("dist", "__wasm_split.js"), "utf8");
    const needs = Object.fromEntries([...script.matchAll(/\/\* (.*) \*\/\s+const __(chunk_\d+) /g)].map(([, parts, chunk]) => [chunk, parts.split(", ")]));
    const of = (part, files) => ([path]) => path.endsWith(`split_${part}.wasm`) || (needs[path.match(/chunk_\d+/)?.[0]] ?? []).includes(part) || files.test(path);
    const [studio, lessons, cases] = [of("studio", /^$/), of("lesson", /lessons/), of("cases", /cases\.css$/)];
    // What opens a visitor's own model.
    const own = of("own", /^$/);
    // What only frames in other pages fetch, and what those pages do.
    const embeds = of("embed", /embed(ded)?\.(d\.ts|js|css)$/);
    // What draws a picture that is to be saved, what opens an adapter that an address names, and the page that previews an embed.
    const asked = ([path]) => /(picture\.js|folder\.js|preview\.(html|css|js))$/.test(path);
    // The texts of another language than English.
    const catalogues = ([path]) => path.includes("locales");
    assert.ok(sizes.every(([path]) => !/chunk_/.test(path) || needs[path.match(/chunk_\d+/)[0]]), JSON.stringify(needs));
    const first = total(sizes.filter((one) => !studio(one) && !lessons(one) && !cases(one) && !embeds(one) && !own(one) && !asked(one) && !catalogues(one)));
    assert.ok(sizes.filter(catalogues).every(([, size]) => size <= 75_000), said);
    assert.ok(total(sizes.filter((one) => own(one) && !studio(one))) <= 70_000, said);
    assert.ok(total(sizes.filter(embeds)) <= 40_000, said);
    assert.ok(total(sizes.filter(asked)) <= 10_000, said);
    assert.ok(first <= 840_000, said);
    assert.ok(total(sizes.filter(studio)) <= 455_000, said);
    // All lessons in both languages with the column that shows them; what the studio has, too, is counted there.
    assert.ok(total(sizes.filter((one) => lessons(one) && !studio(one))) <= 120_000, said);
    assert.ok(total(sizes.filter(cases)) <= 270_000, said);
    await visiting("", {}, async (page) => {
      const fetched = () => new Set(page.asked.filter((url) => url.endsWith(".wasm")).map((url) => url.split("/").at(-1)));
      await trained(page, 1);
      assert.deepEqual([...fetched()], ["lora-playground_bg.wasm"]);
      await page.evaluate(() => (location.hash = "#experiments"));
      await page.getByRole("button", { name: "CPU", exact: true, disabled: false }).waitFor({ timeout: 20_000 });
      await page.evaluate(() => (location.hash = "#adapters"));
      await button(page, "Try with a small one").waitFor({ timeout: 20_000 });
      const parts = [...fetched()].filter((name) => !name.startsWith("chunk_"));
      assert.deepEqual(parts, ["lora-playground_bg.wasm", "split_studio.wasm"]);
      await page.evaluate(() => (location.hash = "#cases"));
      await page.getByRole("heading", { name: "Cases from practice" }).waitFor();
      assert.ok(fetched().has("split_cases.wasm") && !page.asked.some((url) => url.includes("languages.json")));
      assert.equal(page.asked.filter((url) => url.endsWith("_bg.wasm")).length, 1);
    });
  });

  it("says how far the download is", async () => {
    // What is shown is gone at once on a fast line, so it is noted.
    const note = `new MutationObserver(() => (window.seen ??= new Set()).add(document.querySelector(".come")?.textContent))
      .observe(document, { subtree: true, childList: true, characterData: true });`;
    await visiting("", { init: note }, async (page) => {
      await trained(page, 1);
      const seen = await page.evaluate(() => [...window.seen].filter(Boolean));
      assert.ok(seen.length > 0 && seen.every((text) => /^(\d|[1-9]\d|100) %$/.test(text)), seen.join(", "));
      assert.equal(seen.at(-1), "100 %");
    });
  });
});

describe("the page, without WebGPU", () => {
  let site;
  before(async () => (site = await openSite({ webgpu: false })));
  after(() => site?.close());

  it("trains on the CPU and says why", async () => {
    const page = await site.visit();
    await trained(page, 10);
    assert.match(await status(page).innerText(), /CPU/);
    await status(page).focus();
    await page.getByText(/WebGPU cannot be used/).first().waitFor({ timeout: 5_000 });
    assert.deepEqual(page.errors, []);
    await page.context().close();
  });

  it("says what is missing when the link insists on WebGPU, and goes on without it", async () => {
    const page = await site.visit("?backend=webgpu&seed=7");
    const alert = page.getByRole("alert").filter({ hasText: /asks for WebGPU/ });
    await alert.waitFor({ timeout: 30_000 });
    const text = await alert.innerText();
    assert.match(text, /this browser .*; (switch|update)/, "what is missing, and what helps");
    assert.doesNotMatch(text, /wgpu|adapter|vulkan|noop|backend "/i);
    await button(page, "Continue on the CPU").click();
    await trained(page, 10);
    assert.match(await status(page).innerText(), /CPU/);
    assert.equal(await alert.count(), 0);
    assert.equal(new URL(page.url()).search, "?seed=7");
    assert.deepEqual(page.errors, []);
    await page.context().close();
  });
});

describe("the page, when its GPU is lost", () => {
  it("says so and goes on from the last snapshot", async () => {
    const site = await openSite();
    const page = await site.visit("?total=20000");
    // The first snapshot is taken within two seconds of training.
    await trained(page, 50);
    await page.waitForTimeout(4_000);
    const session = await page.context().browser().newBrowserCDPSession();
    const { processInfo } = await session.send("SystemInfo.getProcessInfo");
    process.kill(processInfo.find(({ type }) => type === "GPU").id, "SIGKILL");
    const alert = page.getByRole("alert").filter({ hasText: /GPU was lost/ });
    await alert.waitFor({ timeout: 30_000 });
    const resumed = Number((await alert.innerText()).match(/resumed.* from step ([\d,]+)/)[1].replaceAll(",", ""));
    assert.ok(resumed > 0, "a snapshot, not the start");
    await trained(page, resumed + 100, 60_000);
    assert.deepEqual(page.errors, []);
    await site.close();
  });
});

describe("the page, when the engine cannot start", () => {
  it("says that the worker is missing", async () => {
    const site = await openSite();
    const page = await site.visit("", { init: "const Real = Worker; window.Worker = class extends Real { constructor(url, options) { super('missing-' + url, options); } };" });
    await page.getByText(/could not be loaded/).first().waitFor({ timeout: 10_000 });
    await site.close();
  });

  it("says so in words", async () => {
    const site = await openSite();
    const page = await site.visit("", { init: "delete WebAssembly.instantiateStreaming; WebAssembly.instantiate = () => Promise.reject(new WebAssembly.CompileError('no SIMD'));" });
    await page.getByText(/cannot compile the engine/).waitFor({ timeout: 10_000 });
    await site.close();
  });
});
