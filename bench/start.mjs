// Times the page's start on slow lines: from navigation to the first trained step, with files compressed and the cache
// empty. Other builds are started in turn with this one, so that a noisy machine is noisy for all.
//
//   node bench/start.mjs [--dist dist,../before/dist] [--starts 5] [--out FILE]     adds "start" to the JSON that is there
import { readFile, writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { gzipSync } from "node:zlib";
import { launch } from "../tests/e2e/browser.mjs";
import { step } from "../tests/e2e/page.mjs";
import { serve } from "../tests/e2e/server.mjs";

const LATENCY_MS = 40;
const LINES = [10, 1.5];
const PATIENCE_MS = 60_000;

const { values: options } = parseArgs({
  options: { dist: { type: "string", default: "dist" }, starts: { type: "string", default: "5" }, out: { type: "string" } },
});
const folders = options.dist.split(",");
const starts = Number(options.starts);
if (!(Number.isInteger(starts) && starts > 0)) throw new Error(`--starts ${options.starts}: give a whole number`);

const browser = await launch();
const builds = await Promise.all(folders.map(async (folder) => ({ folder, server: await serve({ "/": folder }, { gzip: true }) })));

// Milliseconds until the status first shows a trained step.
async function start({ server }, megabits) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  const page = await context.newPage();
  const wire = await context.newCDPSession(page);
  const throughput = (megabits * 1e6) / 8;
  await wire.send("Network.enable");
  await wire.send("Network.emulateNetworkConditions", {
    offline: false, latency: LATENCY_MS, downloadThroughput: throughput, uploadThroughput: throughput,
  });
  await page.addInitScript(() => {
    const look = () => {
      const found = document.querySelector('[role="status"]')?.textContent.match(/step\s*([\d,]+)/i);
      if (found && Number(found[1].replaceAll(",", "")) > 0) window.firstStep = performance.now();
      else setTimeout(look, 10);
    };
    look();
  });
  await page.goto(`${server.origin}/`);
  const found = await page.waitForFunction(() => window.firstStep, null, { timeout: PATIENCE_MS, polling: 50 });
  const time = await found.jsonValue();
  if ((await step(page)) < 1) throw new Error(`${server.origin} says that it has not begun`);
  await context.close();
  return time;
}

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];
const kilobytes = ({ server }) =>
  [...server.files].reduce((sum, [path, body]) => sum + (path.includes("/data/") ? 0 : gzipSync(body, { level: 9 }).length), 0) / 1000;

const results = [];
// One start each before any is timed: the browser's own first start is another thing.
for (const build of builds) await start(build, 100);
for (const megabits of LINES) {
  const times = builds.map(() => []);
  for (let turn = 0; turn < starts; turn++) {
    for (const [at, build] of builds.entries()) times[at].push(await start(build, megabits));
  }
  for (const [at, build] of builds.entries()) {
    const result = { folder: build.folder, megabits, kilobytes: kilobytes(build), firstStep: median(times[at]), all: times[at] };
    results.push(result);
    const later = at > 0 ? `; the first one's is ${((median(times[0]) - result.firstStep) / 1000).toFixed(2)} s later` : "";
    const [least, most] = [Math.min(...times[at]), Math.max(...times[at])].map((ms) => (ms / 1000).toFixed(2));
    console.log(
      `${String(megabits).padStart(4)} Mbit/s, ${LATENCY_MS} ms  ${build.folder}: ${result.kilobytes.toFixed(0)} KB, first trained step after ` +
        `${(result.firstStep / 1000).toFixed(2)} s (${least} to ${most} in ${starts} starts)${later}`,
    );
  }
}
await browser.close();
await Promise.all(builds.map(({ server }) => server.close()));
if (options.out) {
  const report = JSON.parse(await readFile(options.out, "utf8").catch(() => "{}"));
  await writeFile(options.out, `${JSON.stringify({ ...report, start: results }, null, 1)}\n`);
}
