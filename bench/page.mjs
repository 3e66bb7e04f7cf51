// Times the page: from navigation to the first paint and to the first trained step, and the main thread's long tasks
// while four lanes train, on both backends.
//
//   node bench/page.mjs [--out FILE]     adds "page" to the JSON that is there
import { readFile, writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { openSite, step, trained } from "../tests/e2e/page.mjs";

const VISITS = 3;
const WATCHED_MS = 15_000;
// A task over 50 ms is what a person feels; the browser reports exactly those.
const LONG_MS = 50;

const { values: options } = parseArgs({ options: { out: { type: "string" } } });

// In the page, before anything of its own: notes the moment the status first shows a trained step, and every long task.
function observe() {
  window.measured = { firstStep: null, longTasks: [] };
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) window.measured.longTasks.push([entry.startTime, entry.duration]);
  }).observe({ type: "longtask", buffered: true });
  const look = () => {
    const text = document.querySelector('[role="status"]')?.textContent ?? "";
    const found = text.match(/step\s*([\d,]+)/i);
    if (found && Number(found[1].replaceAll(",", "")) > 0) window.measured.firstStep = performance.now();
    else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}

async function visit(site) {
  const page = await site.visit("", { init: observe });
  await trained(page, 1);
  const [paint, firstStep] = await page.evaluate(() => [
    performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? NaN,
    window.measured.firstStep,
  ]);
  return { page, paint, firstStep };
}

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];
const results = [];
for (const backend of ["webgpu", "cpu"]) {
  const site = await openSite({ webgpu: backend === "webgpu" });
  const visits = [];
  for (let i = 0; i < VISITS; i++) {
    const { page, ...times } = await visit(site);
    visits.push(times);
    if (i < VISITS - 1) {
      await page.context().close();
      continue;
    }
    await page.waitForTimeout(1000);
    const from = await page.evaluate(() => performance.now());
    const stepBefore = await step(page);
    await page.waitForTimeout(WATCHED_MS);
    const steps = (await step(page)) - stepBefore;
    const tasks = await page.evaluate((from) => window.measured.longTasks.filter(([start]) => start >= from).map(([, ms]) => ms), from);
    const result = {
      backend,
      paint: median(visits.map(({ paint }) => paint)),
      firstStep: median(visits.map(({ firstStep }) => firstStep)),
      stepsPerSecond: steps / (WATCHED_MS / 1000),
      longTasks: tasks.filter((ms) => ms > LONG_MS).length,
      longest: Math.max(0, ...tasks),
    };
    results.push(result);
    console.log(
      `${backend.padEnd(6)}  first paint ${result.paint.toFixed(0)} ms, first trained step ${result.firstStep.toFixed(0)} ms; ` +
        `${result.stepsPerSecond.toFixed(0)} steps/s; main-thread tasks over ${LONG_MS} ms in ${WATCHED_MS / 1000} s: ` +
        `${result.longTasks}${result.longTasks ? `, longest ${result.longest.toFixed(0)} ms` : ""}`,
    );
    await page.context().close();
  }
  await site.close();
}
if (options.out) {
  const report = JSON.parse(await readFile(options.out, "utf8").catch(() => "{}"));
  await writeFile(options.out, `${JSON.stringify({ ...report, page: results }, null, 1)}\n`);
}
