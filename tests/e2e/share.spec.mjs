// A run taken elsewhere: Share writes a link, a frame and an element that work.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { execFileSync } from "node:child_process";
import { after, before, describe, it } from "node:test";
import { BASE, openSite, trained } from "./page.mjs";
import { serve } from "./server.mjs";

describe("a run taken elsewhere", () => {
  let site, host;
  const mounts = {};
  before(async () => {
    site = await openSite();
    host = await serve(mounts);
  });
  after(() => Promise.all([site?.close(), host?.close()]));

  // The frame that a page with this body shows.
  async function shown(page, body) {
    mounts["/"] = { type: "text/html", body: `<!doctype html><title>host</title>${body}` };
    await page.goto(`${host.origin}/`);
    return page.frameLocator("iframe").first();
  }

  it("is shared as a link, a frame and an element", { timeout: 120_000 }, async () => {
    const page = await site.visit("?seed=5&lanes=full~lora.r2&paused");
    await page.getByRole("button", { name: "Share", exact: true }).click();
    const link = await page.getByRole("textbox", { name: "Link to this run" }).inputValue();
    assert.ok(link.endsWith("?seed=5&lanes=full~lora.r2"), link);
    const text = page.getByRole("textbox", { name: "For a page of yours" });
    const written = {};
    for (const form of ["iframe", "element"]) {
      await page.getByLabel("Form", { exact: true }).selectOption(form);
      await page.getByLabel("Panel to share").selectOption("loss");
      await page.getByLabel("Theme to share").selectOption("dark");
      await page.getByLabel("Language to share").selectOption("English");
      written[form] = await text.inputValue();
      // The preview shows the very lines, and what they make in a page; nothing of it is fetched before it is asked for.
      assert.equal(page.asked.some((url) => /preview|embed=/.test(url)), false);
      const [preview] = await Promise.all([page.context().waitForEvent("page"), page.getByRole("link", { name: "Preview" }).click()]);
      const figure = preview.frameLocator("iframe");
      await figure.getByText(/^step [1-9]/).waitFor({ timeout: 60_000 });
      assert.deepEqual([await figure.locator("html").getAttribute("data-theme"), await figure.locator("html").getAttribute("lang")], ["dark", "en"]);
      assert.equal(await preview.locator("pre").innerText(), written[form]);
      await preview.close();
    }
    for (const body of Object.values(written)) {
      const frame = await shown(page, body);
      await frame.getByText(/^step [1-9]/).waitFor({ timeout: 60_000 });
      assert.equal(await frame.locator("html").getAttribute("data-theme"), "dark");
      assert.match(await frame.getByRole("link", { name: /LoRA Playground/ }).getAttribute("href"), /\?seed=5&lanes=full~lora\.r2$/);
    }
    await page.context().close();
  });

  it("is previewed only as a figure of this playground", { timeout: 60_000 }, async () => {
    const page = await site.visit(`preview.html#${encodeURIComponent('<iframe src="https://example.org/?embed=loss"></iframe><img src="x">')}`);
    await page.getByText("There is nothing to show here").waitFor();
    assert.equal(await page.locator("iframe, img").count(), 0);
    assert.equal(page.asked.some((url) => url.includes("example.org")), false);
    await page.context().close();
  });
});
