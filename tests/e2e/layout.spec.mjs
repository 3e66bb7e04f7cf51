// The page's space at the widths that people have: nothing overflows, nothing lies over anything else, nothing jumps.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { openSite, trained } from "./page.mjs";

const SIZES = [[390, 844], [640, 900], [1280, 800], [1440, 900], [1920, 1080]];
const TASKS = { domains: "?", digits: "?task=digits", language: "?task=text" };

// What is where it should not be, in words.
const faults = () => {
  const said = [];
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > width) said.push(`the page is ${document.documentElement.scrollWidth} wide`);
  const shown = (element) => element.getClientRects().length > 0;
  const panels = [...document.querySelectorAll("main .panel, main .lead")].filter(shown);
  const name = (element) => element.id || element.className;
  const boxes = panels.map((panel) => [name(panel), panel.getBoundingClientRect()]);
  for (const [at, [one, a]] of boxes.entries()) {
    for (const [other, b] of boxes.slice(at + 1)) {
      const [across, down] = [Math.min(a.right, b.right) - Math.max(a.left, b.left), Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top)];
      if (across > 1 && down > 1) said.push(`${one} lies over ${other} by ${across} × ${down}`);
    }
  }
  for (const panel of panels) {
    const box = panel.getBoundingClientRect();
    const inside = [...panel.querySelectorAll("text, th, td, p, span, button, canvas, figcaption, select, input, .course, .heat")].filter(shown);
    for (const element of inside) {
      // What scrolls within its panel is cut off there; what opens over the page is a menu.
      if (element.closest(".tables, .menu, .passage, .languages, .lead .now")) continue;
      const own = element.getBoundingClientRect();
      if (own.width > 0 && (own.right > box.right + 1 || own.left < box.left - 1 || own.bottom > box.bottom + 1)) {
        said.push(`${name(panel)}: <${element.tagName}> "${element.textContent.slice(0, 40)}" is outside by ${[own.right - box.right, box.left - own.left, own.bottom - box.bottom].map(Math.round)}`);
      }
    }
  }
  // Numbers of a row, and labels of a chart, beside each other.
  const rows = [...document.querySelectorAll(".accuracy tr")].filter(shown);
  for (const row of rows) {
    const parts = [...row.querySelectorAll(".spark, .course > span")].map((part) => part.getBoundingClientRect()).filter((box) => box.width > 0);
    parts.forEach((a, at) => parts.slice(at + 1).forEach((b) => {
      if (Math.min(a.right, b.right) - Math.max(a.left, b.left) > 0.5 && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 0.5) said.push(`a number of "${row.textContent.slice(0, 20)}" lies over another`);
    }));
  }
  return [...new Set(said)];
};

const watchShifts = () => {
  window.shifts = [];
  new PerformanceObserver((list) => {
    // What a source counts for: the share of the window that it was and is in, times how far it went.
    const weight = ({ previousRect: a, currentRect: b }) => {
      const area = a.width * a.height + b.width * b.height;
      return (area / (innerWidth * innerHeight)) * (Math.hypot(a.x - b.x, a.y - b.y) / Math.max(innerWidth, innerHeight));
    };
    for (const entry of list.getEntries()) {
      // A sentence that says something else has its words in other places; of what moved beside it, each counts in full.
      const others = entry.sources.filter(({ node }) => !node?.parentElement?.closest(".now"));
      const value = others.length === entry.sources.length ? entry.value : others.reduce((sum, source) => sum + weight(source), 0);
      const shift = { value, sources: others };
      const which = shift.sources.map(({ node, previousRect: a, currentRect: b }) => `${node?.id || node?.className || node?.nodeName}: ${a.y} to ${b.y}, ${a.height} to ${b.height} high`);
      window.shifts.push({ value: shift.value, which });
    }
  }).observe({ type: "layout-shift", buffered: true });
};

const places = (page) =>
  page.evaluate(() => [...document.querySelectorAll("main .panel")].map((panel) => {
    const { x, y, width } = panel.getBoundingClientRect();
    return [panel.id, x, y + scrollY, width].join(" ");
  }));

describe("the page's space", () => {
  let site;
  before(async () => (site = await openSite()));
  after(() => site?.close());

  for (const [task, query] of Object.entries(TASKS)) {
    it(`is enough at every width, and nothing lies over anything else: ${task}`, { timeout: 180_000 }, async () => {
      const page = await site.visit(query);
      await trained(page, task === "language" ? 2 : 60, 120_000);
      await page.getByRole("button", { name: "Pause", exact: true }).click();
      for (const [width, height] of SIZES) {
        await page.setViewportSize({ width, height });
        await page.waitForTimeout(400);
        assert.deepEqual(await page.evaluate(faults), [], `${task} at ${width}`);
      }
      await page.context().close();
    });
  }

  for (const [width, height] of SIZES) {
    it(`never jumps: not at the start, not for a question, at ${width}`, { timeout: 120_000 }, async () => {
      const page = await site.visit("?", { viewport: { width, height }, init: watchShifts });
      await trained(page, 80, 90_000);
      const shifts = await page.evaluate(() => window.shifts);
      const sum = shifts.reduce((sum, { value }) => sum + value, 0);
      assert.ok(sum < 0.005, `shifts of ${sum}: ${JSON.stringify(shifts)}`);
      await page.getByRole("button", { name: "Pause", exact: true }).click();
      await page.waitForTimeout(400);
      const before = await places(page);
      await page.getByLabel("Method of lane 2").selectOption("DoRA");
      await page.getByRole("button", { name: "Restart", exact: true }).waitFor();
      assert.deepEqual(await places(page), before, "the question moved the panels");
      await page.context().close();
    });
  }
});
