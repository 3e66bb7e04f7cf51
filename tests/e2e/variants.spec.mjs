// What lanes can be beyond the four methods, in Chromium: variants, options, several layers.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { openSite, step, trained } from "./page.mjs";

describe("variants", () => {
  let site;
  before(async () => (site = await openSite()));
  after(() => site?.close());

  async function visiting(query, body, options) {
    const page = await site.visit(query, options);
    try {
      await body(page);
      assert.deepEqual(page.errors, [], "errors in the console");
    } finally {
      await page.context().close();
    }
  }

  const query = (page) => new URL(page.url()).searchParams;
  const button = (page, name) => page.getByRole("button", { name, exact: true });

  for (const backend of ["webgpu", "cpu"]) {
    it(`trains every variant on ${backend}`, async () => {
      for (const lanes of ["dora.r4~mora.r4~adalora.r4~dylora.r4", "lora.r4.plus8~lora.r4.pissa~molora.n3.r2.binary.noise0.5~mor1e.n4.orth0.1",
        "mor1e.n4.prototype~mor1e.n6.prototype.flex2~mor1e.n6.token.flex3~mor1e.n4.prototype.orth0.1"]) {
        await visiting(`?backend=${backend}&dim=32&batch=8&lanes=${lanes}`, async (page) => {
          await trained(page, 40);
          for (const lane of ["1", "2", "3", "4"]) {
            assert.equal(await page.getByLabel(`Method of lane ${lane}`).count(), 1, `lane ${lane}`);
          }
          assert.equal(await page.getByText("diverged").count(), 0);
        });
      }
    });
  }

  // Something in the page that another load of it would take along.
  const mark = (page) => page.evaluate(() => (window.marked = true));
  const marked = (page) => page.evaluate(() => window.marked === true);

  it("are trained without loading anything more, and their links open", async () => {
    await visiting("", async (page) => {
      await trained(page, 5);
      await mark(page);
      const asked = page.asked.length;
      await page.getByLabel("Method of lane 2").selectOption({ label: "DoRA" });
      await button(page, "Restart").click();
      await page.waitForURL(/~dora\.r8~/);
      await page.getByRole("slider", { name: "DoRA rank", exact: true }).waitFor();
      await trained(page, 5);
      assert.ok(await marked(page), "the page was not loaded again");
      assert.deepEqual(page.asked.slice(asked), []);
      assert.match(query(page).get("lanes"), /~dora\.r8~/);
      await page.reload();
      await trained(page, 5);
      assert.match(await page.getByRole("slider", { name: /^DoRA/ }).getAttribute("aria-label"), /^DoRA rank$/);
    });
  });

  it("open from links of the time when they were a build of their own", async () => {
    await visiting("?all&dim=32&depth=8&batch=8&lanes=dora.r4~lora.r4", async (page) => {
      await trained(page, 5);
      await page.getByText(/a frozen network of (eight|8) layers/).waitFor();
      assert.equal(await page.getByRole("slider", { name: "DoRA rank", exact: true }).count(), 1);
      assert.equal(await page.getByRole("alert").count(), 0, "nothing to complain of");
    });
  });

  it("have their options on every lane", async () => {
    await visiting("?lanes=molora.n4.r2", async (page) => {
      await trained(page, 5);
      await page.locator(".lane summary").first().click();
      assert.equal(await page.getByLabel("router noise").count(), 1);
    });
  });

  it("changes noise and balance in mid-training, without a new start", async () => {
    await visiting("?lanes=molora.n4.r2", async (page) => {
      const before = await trained(page, 30);
      await page.locator(".lane summary").first().click();
      await page.getByLabel("router noise").fill("0.5");
      await page.getByLabel("router noise").press("Enter");
      await page.getByLabel("load balance").selectOption({ label: "entropy" });
      await page.getByLabel("balance weight").fill("0.1");
      await page.getByLabel("balance weight").press("Enter");
      await page.waitForURL(/noise0\.5/);
      await page.waitForURL(/entropy0\.1/);
      assert.equal(await button(page, "Restart").count(), 0, "no question before a restart");
      assert.ok((await trained(page, before + 20)) >= before + 20);
    });
  });

  it("adapts several layers, each with its own experts, and shows them by themselves", async () => {
    await visiting("?dim=32&depth=4&batch=8&lanes=molora.n4.r2.nl6-2-2-6", async (page) => {
      await trained(page, 20);
      await page.getByText("a frozen network of four layers").waitFor();
      const layers = page.getByLabel("Layer of the weight");
      assert.equal(await layers.locator("option").count(), 4);
      assert.equal(await page.getByRole("img", { name: /^Cosines between 6 experts/ }).count(), 1);
      await layers.selectOption({ index: 1 });
      await page.getByRole("img", { name: /^Cosines between 2 experts/ }).waitFor();
      await button(page, "Experts as a table").click();
      await page.getByText("Cosine between experts' changes of the weight").waitFor();
      // A pattern of the same total.
      await page.locator(".lane summary").first().click();
      await page.getByLabel("over layers").selectOption({ label: "triangle" });
      await button(page, "Restart").click();
      await page.waitForURL(/nl2-3-5-6/);
      await trained(page, 5);
      assert.ok((await step(page)) !== null);
    });
  });

  // The rows of a panel's first table, as numbers where they are.
  const table = async (page, panel) => {
    await button(page, `${panel} as a table`).click();
    const cells = await page.getByRole("region", { name: panel }).locator("tbody tr").evaluateAll((rows) =>
      rows.map((row) => [...row.cells].map((cell) => Number(cell.textContent.replaceAll(",", "")))),
    );
    await button(page, `${panel} as a table`).click();
    return cells;
  };

  it("draws AdaLoRA's directions in use beside the budget that is prescribed", async () => {
    await visiting("?dim=16&depth=3&batch=4&total=400&lanes=lora.r4~adalora.r6.to2.begin20.end220", async (page) => {
      await page.getByLabel("Speed").selectOption({ label: "100 steps/s" });
      await trained(page, 400);
      const panel = page.getByRole("region", { name: "Directions in use" });
      const picture = panel.getByRole("img", { name: /^Directions in use of AdaLoRA over 400 steps: .*budget 6\.00, in use 6 =/ });
      await picture.waitFor();
      await panel.getByText("Pruning is over: 6 of 18 directions are kept.").waitFor();
      const rows = await table(page, "Directions in use");
      assert.ok(rows.length > 2, `${rows.length} moments`);
      for (const [step, budget, used, ...layers] of rows) {
        const left = 1 - Math.min(1, Math.max(0, (step - 20) / 200));
        const prescribed = 6 + 12 * left ** 3;
        assert.ok(Math.abs(budget - prescribed) < 0.006, `step ${step}: ${budget} is ${prescribed}`);
        assert.equal(used, Math.floor(prescribed), `step ${step}`);
        assert.equal(layers.reduce((sum, kept) => sum + kept), used);
      }
      await picture.focus();
      await page.keyboard.press("Home");
      await panel.getByText("step 0: budget 18.00").waitFor();
      await page.keyboard.press("End");
      await panel.getByText(/^step 399: budget 6\.00, in use 6 = \d \+ \d \+ \d$/).waitFor();
    });
  });

  it("draws what cut lanes lose beside the floor of every rank", async () => {
    const task = "domains=1&true_rank=8&spectrum=harmonic&dim=32&batch=8";
    await visiting(`?${task}&total=1500&lanes=dylora.r8~lora.r8`, async (page) => {
      const panel = page.getByRole("region", { name: "Smaller ranks" });
      await trained(page, 1500);
      await panel.scrollIntoViewIfNeeded();
      await panel.getByText(/^Measured after 1,500 steps on 1,024 tokens/).waitFor();
      await panel.getByRole("img", { name: /^Loss over rank as share of target energy: DyLoRA .*; LoRA .*; floor 0\.345 at rank 1$/ }).waitFor();
      const rows = await table(page, "Smaller ranks");
      const energy = (from) => [1, 2, 3, 4, 5, 6, 7, 8].filter((i) => i >= from).reduce((sum, i) => sum + 1 / i ** 2, 0);
      assert.deepEqual(rows.map(([rank]) => rank), [1, 2, 3, 4, 5, 6, 7, 8]);
      for (const [rank, dylora, lora, floor] of rows) {
        const tail = energy(rank + 1) / energy(1);
        assert.ok(Math.abs(floor - tail) < 1e-3, `floor of rank ${rank}: ${floor}, theory ${tail}`);
        assert.ok(Math.abs(dylora - tail) < 0.06, `DyLoRA cut to ${rank}: ${dylora}, theory ${tail}`);
        if (rank <= 4) assert.ok(lora - dylora > 0.1, `LoRA cut to ${rank}: ${lora}, DyLoRA ${dylora}`);
      }
      assert.ok(rows[7][2] < 0.001, `LoRA whole: ${rows[7][2]}`);
      await panel.getByRole("img").first().focus();
      await page.keyboard.press("Home");
      await panel.getByText(/^rank 1: DyLoRA 0\.\d+ · LoRA [\d.]+ · floor 0\.345$/).waitFor();
    });
  });

  it("measures cut lanes only while somebody looks", async () => {
    const low = { viewport: { width: 1440, height: 400 } };
    await visiting("?dim=16&batch=4&total=100000&lanes=dylora.r4~lora.r4", async (page) => {
      const panel = page.getByRole("region", { name: "Smaller ranks" });
      await trained(page, 200);
      await panel.getByText(/^Measuring what is lost/).waitFor();
      await panel.scrollIntoViewIfNeeded();
      await panel.getByText(/^Measured after/).waitFor();
      // What stands there when nobody looks is not measured anew.
      await page.evaluate(() => scrollTo(0, 0));
      await page.waitForTimeout(1000);
      const before = await panel.getByText(/^Measured after/).innerText();
      await page.waitForTimeout(1500);
      assert.equal(await panel.getByText(/^Measured after/).innerText(), before);
    }, low);
  });

  it("has panels for changing ranks only where a lane has such", async () => {
    await visiting("?dim=16&batch=4&lanes=dora.r4~lora.r4", async (page) => {
      await trained(page, 5);
      for (const name of ["Directions in use", "Smaller ranks"]) {
        assert.equal(await page.getByRole("region", { name }).count(), 0, name);
      }
    });
  });

  it("shows a gate by prototypes in its two parts, and experts that share vectors", async () => {
    await visiting("?dim=32&batch=8&lanes=mor1e.n6", async (page) => {
      await trained(page, 5);
      await page.locator(".lane summary").first().click();
      await page.getByLabel("load balance").selectOption({ label: "entropy" });
      await page.getByLabel(/^gate/).selectOption({ label: "prototype" });
      // Such gates are no shares to balance.
      await page.getByLabel("load balance").waitFor({ state: "detached" });
      await page.getByLabel("shared vectors").selectOption({ label: "2 × 3" });
      await button(page, "Restart").click();
      await page.waitForURL(/lanes=mor1e\.n6\.prototype\.flex2$/);
      await trained(page, 40);
      const pictures = page.locator("#gates");
      for (const part of ["intuition", "router"]) {
        await pictures.getByRole("img", { name: new RegExp(`: ${part}, experts × domains, from −`) }).waitFor();
      }
      await pictures.getByText("gate = intuition + router").waitFor();
      await pictures.getByText(/^ω 0\.\d+$/).waitFor();
      await pictures.getByText(/gate, of either sign/).waitFor();
      // An expert is switched off alone, though its vectors serve others.
      await pictures.getByRole("button", { name: /^Expert 2 of .*: on$/ }).click();
      await page.getByText("What expert 2 carries").waitFor();
      await button(page, "Gates as a table").click();
      await page.getByText(/What the mean gate is the sum of, ω = 0\.\d+/).waitFor();
      assert.equal(await page.getByRole("columnheader", { name: /, intuition$/ }).count(), 4);
      await page.getByLabel("Expert shown").selectOption({ label: "expert 6: v2, u3" });
      await page.getByRole("img", { name: /^u3 v2ᵀ, 32 outputs × 32 inputs/ }).waitFor();
      // Vectors that read stay as many.
      const slider = page.getByRole("slider", { name: /experts$/ });
      assert.deepEqual([await slider.getAttribute("min"), await slider.getAttribute("step")], ["2", "2"]);
      await slider.press("ArrowRight");
      await button(page, "Restart").click();
      await page.waitForURL(/n8\.prototype\.flex2/);
      await trained(page, 5);
    });
  });

  it("says what is wrong with a link of its own", async () => {
    await visiting("?lanes=molora.n4.nl8-2", async (page) => {
      await page.getByRole("alert").getByText(/experts_per_layer/).waitFor();
      await trained(page, 5);
    });
  });
});
