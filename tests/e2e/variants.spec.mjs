// The whole build of the lab, which the first download asks for when a lane needs it: variants, options, several layers.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { openSite, step, trained } from "./page.mjs";

describe("the whole lab", () => {
  let site;
  before(async () => (site = await openSite()));
  after(() => site?.close());

  async function visiting(query, body) {
    const page = await site.visit(query);
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
        await visiting(`?all&backend=${backend}&dim=32&batch=8&lanes=${lanes}`, async (page) => {
          await trained(page, 40);
          for (const lane of ["1", "2", "3", "4"]) {
            assert.equal(await page.getByLabel(`Method of lane ${lane}`).count(), 1, `lane ${lane}`);
          }
          assert.equal(await page.getByText("diverged").count(), 0);
        });
      }
    });
  }

  it("is loaded by a lane that the first download lacks, and keeps its link", async () => {
    await visiting("", async (page) => {
      await trained(page, 5);
      assert.ok(!page.asked.some((url) => url.includes("/studio/")), "nothing of it in the first load");
      await page.getByLabel("Method of lane 2").selectOption({ label: "DoRA" });
      await button(page, "Restart").click();
      await page.waitForURL(/\?all&/);
      await page.getByText("Loading the engine").waitFor({ state: "detached" });
      await trained(page, 5);
      assert.match(query(page).get("lanes"), /~dora\.r8~/);
      assert.ok(page.asked.some((url) => url.endsWith("/studio/engine_bg.wasm")));
      await page.reload();
      await trained(page, 5);
      assert.match(await page.getByRole("slider", { name: /^DoRA/ }).getAttribute("aria-label"), /^DoRA rank$/);
    });
  });

  it("is there for more options", async () => {
    await visiting("?lanes=molora.n4.r2", async (page) => {
      await trained(page, 5);
      await page.locator(".lane summary").first().click();
      await button(page, "More options").first().click();
      await page.waitForURL(/\?all&/);
      await trained(page, 5);
      await page.locator(".lane summary").first().click();
      assert.equal(await page.getByLabel("router noise").count(), 1);
    });
  });

  it("changes noise and balance in mid-training, without a new start", async () => {
    await visiting("?all&lanes=molora.n4.r2", async (page) => {
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
    await visiting("?all&dim=32&depth=4&batch=8&lanes=molora.n4.r2.nl6-2-2-6", async (page) => {
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

  it("shows a gate by prototypes in its two parts, and experts that share vectors", async () => {
    await visiting("?all&dim=32&batch=8&lanes=mor1e.n6", async (page) => {
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
    await visiting("?all&lanes=molora.n4.nl8-2", async (page) => {
      await page.getByRole("alert").getByText(/experts_per_layer/).waitFor();
      await trained(page, 5);
    });
  });
});
