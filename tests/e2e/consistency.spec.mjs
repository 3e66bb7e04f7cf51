// Never two numbers for one thing at one moment: twenty runs drawn from a seed, each changed on its way, in which every number
// of the Now line is one that the chart's ends and the tables have at that moment.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { openSite, status, trained } from "./page.mjs";

// Small and fast; the same runs every time.
function generator(seed) {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const LANES = ["full", "lora.r1", "lora.r4", "lora.r8", "dora.r2", "molora.n4.r2", "molora.n2.r1", "mor1e.n8", "mor1e.n3.token"];

function drawn(random) {
  const pick = (all) => all[random(all.length)];
  const lanes = Array.from({ length: 2 + random(3) }, () => pick(LANES));
  const parts = [
    "backend=cpu", "dim=32", "batch=16", "warmup=0", `seed=${1 + random(99)}`, `total=${pick([120, 240, 400])}`,
    `domains=${pick([1, 2, 4])}`, `lr=${pick(["0.01", "0.03", "1"])}`, `lanes=${lanes.join("~")}`,
  ];
  if (random(4) === 0) parts.push("mixed=true", "sequence=4");
  if (random(4) === 0) parts.push("noise=0.1");
  return `?${parts.join("&")}`;
}

const panel = (page, id) => page.locator(`#${id}`);
const table = (page, name) => page.getByRole("button", { name: `${name} as a table`, exact: true });

// What the page says of losses: the sentence, the ends of the chart's lines, and the tables.
async function said(page) {
  const ends = await page.locator('#loss [aria-label="Line ends and floors"] > g').evaluateAll((all) =>
    all.map((end) => {
      const value = end.querySelector(".value").textContent.replace("exactly ", "");
      return { floor: end.classList.contains("floor"), name: end.querySelector("text").firstChild.textContent, value };
    }),
  );
  const now = await page.locator(".now").innerText();
  const entropy = await page.locator("#gates .number b").allInnerTexts();
  const row = async (id, name, of) => {
    await table(page, name).click();
    const head = await panel(page, id).locator("thead tr > *").allInnerTexts();
    const cells = await panel(page, id).locator("tbody tr").filter({ has: page.getByRole("rowheader", { name: of, exact: true }) }).locator("td").allInnerTexts();
    await table(page, name).click();
    return Object.fromEntries(cells.map((cell, at) => [head[at + 1], cell]));
  };
  const [costs, entropies, losses] = [await row("lanes", "Lanes", "recent loss"), await row("lanes", "Lanes", "gate entropy"), await row("loss", "Loss", "now")];
  return { now, ends, entropy, costs, entropies, losses };
}

// Waits until the run rests and all that it had to say has been said.
async function settled(page) {
  await page.waitForFunction(() => /paused|finished/.test(document.querySelector('[role="status"]')?.textContent ?? ""), null, { timeout: 60_000 });
  let last = "";
  for (let same = 0; same < 3; ) {
    const text = (await page.locator(".lead").innerText()) + (await page.locator("#loss svg.ends").allTextContents()).join();
    same = text === last ? same + 1 : 0;
    last = text;
    await page.waitForTimeout(60);
  }
}

const NUMBER = /−?\d[\d,]*(?:\.\d+)?(?:e-?\d+)?/g;

// Checks one moment; `earlier` has the numbers of the moment before a change, from which a loss may be said to have moved.
function check(moment, earlier, query) {
  const { now, ends, costs, losses } = moment;
  const about = `${query}\n${now}\n${ends.map((end) => `${end.name} ${end.value}`).join(" | ")}`;
  for (const { floor, name, value } of ends.filter((end) => !end.floor && end.value !== "diverged")) {
    assert.equal(costs[name], value, `the table of lanes and the chart on ${name}: ${about}`);
    assert.equal(losses[name], value, `the table of losses and the chart on ${name}: ${about}`);
    // A lane named with a number beside it has that number.
    const beside = now.match(new RegExp(`(?:^|[ (])${name.replace(/[()]/g, "\\$&")} (\\d[\\d,.e-]*\\d)`, "i"));
    if (beside) assert.equal(beside[1], value, `the line and the chart on ${name}: ${about}`);
  }
  const known = new Set([...ends.map((end) => end.value), ...moment.entropy, ...Object.values(moment.entropies), ...earlier]);
  let rest = now;
  for (const { name } of [...ends].sort((a, b) => b.name.length - a.name.length)) rest = rest.replaceAll(new RegExp(name.replace(/[()]/g, "\\$&"), "gi"), "");
  rest = rest
    // Names, places and sizes; means over windows that nothing else shows; constants of a sentence.
    .replace(/MoR1E|MoLoRA r\d+|LoRA r\d+/g, "")
    .replace(/(?:step|rank|expert|entropy [\d. and]+of|the last|within|lanes?) [\d,]+/gi, (all) => (all.startsWith("entropy") ? all.replace(/of 1$/, "") : ""))
    .replace(/from \d+ to \d+ at/g, "")
    .replace(/over the \d+ before|, [\d.,e-]+ over the 50/g, "")
    .replace(/[\d.,e-]+ over the\s+before/g, "")
    .replace(/mean gate is [\d.e-]+/g, "")
    .replace(/learning rate:? ?(?:is |at )?[\d.e-]+/g, "")
    .replace(/frozen weight alone has [\d.]+/g, "");
  const numbers = (rest.match(NUMBER) ?? []).map((number) => number.replace(/[.,]$/, ""));
  for (const number of numbers) assert.ok(known.has(number), `${number} of the Now line is nowhere else at this moment: ${about}`);
  return numbers.length;
}

describe("one moment", () => {
  let site;
  before(async () => (site = await openSite({ webgpu: false })));
  after(() => site?.close());

  it("has one number for one thing, in twenty runs with their changes", { timeout: 300_000 }, async () => {
    const random = generator(7);
    const page = await site.visit("?paused");
    let compared = 0;
    for (let run = 0; run < 20; run++) {
      const query = drawn(random);
      await page.goto(new URL(query, page.url()).href);
      await trained(page, 20);
      if (random(2) === 0) await page.getByRole("button", { name: "Pause", exact: true }).click({ timeout: 500 }).catch(() => {});
      await settled(page);
      let moment = await said(page);
      compared += check(moment, [], query);
      const earlier = [];
      for (let change = 0; change < 2; change++) {
        const sliders = page.locator('#lanes input[type="range"]');
        if ((await sliders.count()) === 0) break;
        const slider = sliders.nth(random(await sliders.count()));
        const name = await slider.getAttribute("aria-label");
        const was = await slider.inputValue();
        const to = String(1 + random(6));
        await slider.fill(to).catch(() => {});
        if ((await slider.inputValue()) !== was) await page.locator('[aria-label="Changes on the way"] g').first().waitFor({ state: "attached", timeout: 10_000 });
        await settled(page);
        earlier.push(...moment.ends.map((end) => end.value));
        moment = await said(page);
        compared += check(moment, earlier, `${query}, ${name} ${was} to ${to}`);
        const lane = moment.ends.find((end) => !end.floor && `${end.name} rank` === name);
        const floor = moment.ends.find((end) => end.floor && end.name === `floor, rank ${to}`);
        if (lane && floor) assert.ok(Number(lane.value) > 0.9 * Number(floor.value), `${name} ${to}: ${lane.value} is below ${floor.value}, ${query}`);
      }
    }
    assert.ok(compared >= 60, `${compared} numbers were compared`);
    assert.deepEqual(page.errors, []);
    assert.match(await status(page).innerText(), /step/);
  });
});
