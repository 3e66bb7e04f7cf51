// A panel saved as a picture: an SVG document that holds what is seen and needs nothing else, and the same in pixels.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { openSite, step, trained } from "./page.mjs";

describe("a panel saved as a picture", () => {
  let site;
  before(async () => (site = await openSite()));
  after(() => site?.close());

  async function saved(page, panel, form) {
    await page.locator(`#${panel} .picture summary`).click();
    const file = page.waitForEvent("download");
    await page.locator(`#${panel} .picture`).getByRole("button", { name: new RegExp(`${form}$`) }).click();
    const download = await file;
    assert.equal(await page.locator(`#${panel} .picture[open]`).count(), 0, "its menu is put away");
    return { name: download.suggestedFilename(), bytes: readFileSync(await download.path()) };
  }

  for (const theme of ["light", "dark"]) {
    it(`holds what loss, gates and weight show, in the ${theme} theme`, { timeout: 120_000 }, async () => {
      const page = await site.visit("?seed=3", { colorScheme: theme });
      await trained(page, 50);
      await page.locator("#weight .proof b").waitFor();
      await page.getByRole("button", { name: "Pause", exact: true }).click();
      await page.waitForTimeout(500);
      assert.equal(page.asked.some((url) => url.endsWith("/picture.js")), false, "what draws it is fetched before it is asked for");
      const [now, at] = [await page.locator(".now").innerText(), await step(page)];
      const parts = { loss: ".end", gates: ".cells > *, .ticks > *", weight: ".proof, figcaption, .true-rank text" };
      for (const [panel, shown] of Object.entries(parts)) {
        const { name, bytes } = await saved(page, panel, "SVG");
        assert.equal(name, `${panel}-${at}.svg`);
        const text = bytes.toString();
        const seen = await page.locator(`#${panel} :is(${shown})`).allTextContents();
        const svg = await page.evaluate((text) => {
          const root = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
          const all = [...root.querySelectorAll("*")];
          return {
            name: root.nodeName,
            title: root.querySelector("title")?.textContent,
            words: [...root.querySelectorAll("text")].map((one) => one.textContent).join(" "),
            pictures: [...root.querySelectorAll("image")].map((one) => one.getAttribute("href").slice(0, 22)),
            ground: root.querySelector("rect").getAttribute("fill"),
            size: ["width", "height"].map((side) => Number(root.getAttribute(side))),
            foreign: all.filter((one) => /^(style|script|foreignObject|use|link)$/.test(one.localName) || one.hasAttribute("class") || one.hasAttribute("style")).length,
          };
        }, text);
        const whole = (words) => words.replace(/\s+/g, "");
        assert.deepEqual([svg.name, svg.foreign], ["svg", 0]);
        assert.equal(svg.title, await page.locator(`#${panel} h2`).innerText());
        assert.equal(svg.ground, { light: "rgb(251, 251, 249)", dark: "rgb(18, 19, 21)" }[theme]);
        assert.ok(seen.length > 2 && /\d/.test(seen.join()), `${panel}: ${seen}`);
        for (const words of seen) assert.ok(whole(svg.words).includes(whole(words)), `${panel}: "${words}" is not in: ${svg.words}`);
        for (const words of [now, `step ${at}`, `${site.server.origin}/some/sub-path/?seed=3`]) assert.ok(whole(svg.words).includes(whole(words)), `${panel}: "${words}" is not in: ${svg.words}`);
        assert.doesNotMatch(svg.words, /Table|Zoom|Picture/);
        assert.deepEqual(svg.pictures, Array(await page.locator(`#${panel} canvas`).count()).fill("data:image/png;base64,"));
        assert.doesNotMatch(text.replaceAll(site.server.origin, ""), /https?:\/\/(?!www\.w3\.org\/)|url\((?!#)/, "it asks for something elsewhere");

        const png = await saved(page, panel, "PNG");
        assert.equal(png.name, `${panel}-${at}.png`);
        const colours = await page.evaluate(async (base64) => {
          const picture = new Image();
          picture.src = `data:image/png;base64,${base64}`;
          await picture.decode();
          const canvas = document.createElement("canvas");
          Object.assign(canvas, { width: picture.naturalWidth, height: picture.naturalHeight });
          const context = canvas.getContext("2d");
          context.drawImage(picture, 0, 0);
          const pixels = new Uint32Array(context.getImageData(0, 0, canvas.width, canvas.height).data.buffer);
          return { size: [canvas.width, canvas.height], kinds: new Set(pixels).size };
        }, png.bytes.toString("base64"));
        assert.deepEqual(colours.size, svg.size.map((side) => 2 * side));
        assert.ok(colours.kinds > 50, `${panel} in pixels has ${colours.kinds} colours`);
      }
      assert.deepEqual(page.errors, []);
      await page.context().close();
    });
  }

  it("says so where what draws it cannot be had", { timeout: 60_000 }, async () => {
    const page = await site.visit("?paused");
    await page.locator("#loss .picture summary").click();
    await page.route("**/picture.js", (route) => route.abort());
    await page.locator("#loss").getByRole("button", { name: "Save Loss as SVG" }).click();
    await page.locator("#loss .picture[open]").getByText("not loaded; once more?").waitFor();
    await page.context().close();
  });
});
