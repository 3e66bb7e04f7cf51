// Figures in a page of another site: its buttons drive them by messages, several share one run, and a frame without an origin
// trains too.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { launch } from "./browser.mjs";
import { BASE } from "./page.mjs";
import { serve } from "./server.mjs";

const EVENTS = ["ready", "frame", "selected", "error"];
// Keeps all that an element tells, by its place in the page.
const keep = (events) => {
  window.told = [];
  for (const [at, element] of [...document.querySelectorAll("lora-playground")].entries()) {
    window.told[at] = [];
    for (const event of events) element.addEventListener(event, ({ detail }) => window.told[at].push(detail));
  }
};

describe("a page of another site", () => {
  let site, closed, host, browser;
  const mounts = { "/example/": "examples/host_page" };
  before(async () => {
    site = await serve({ [BASE]: "dist" }, { open: true });
    closed = await serve({ [BASE]: "dist" });
    host = await serve(mounts);
    browser = await launch();
  });
  after(async () => {
    await browser?.close();
    await Promise.all([site, closed, host].map((server) => server?.close()));
  });

  // A page at another origin with these elements, all that it and its frames ask for kept.
  async function page(body, { playground = site, address = "/", viewport = { width: 900, height: 900 } } = {}) {
    const context = await browser.newContext({ viewport });
    const page = await context.newPage();
    page.asked = [];
    page.errors = [];
    page.on("request", (request) => page.asked.push(request.url()));
    page.on("pageerror", (error) => page.errors.push(String(error)));
    page.on("console", (message) => message.type() === "error" && page.errors.push(message.text()));
    const script = `<script src="${playground.origin}${BASE}embed.js"></script>`;
    if (body) mounts["/"] = { type: "text/html", body: `<!doctype html><title>host</title><link rel="icon" href="data:,">${body}${script}` };
    await page.goto(`${host.origin}${address}`);
    if (body) await page.evaluate(keep, EVENTS);
    page.told = (at, type) => page.evaluate(([at, type]) => window.told[at].filter((one) => one.type === type), [at, type]);
    page.until = (look, ...rest) => page.waitForFunction(look, rest, { timeout: 60_000 });
    page.figure = (at) => page.frameLocator("lora-playground iframe >> nth=" + at);
    return page;
  }

  it("drives a run by messages, and is told what happens", { timeout: 180_000 }, async () => {
    const it = await page(`<lora-playground panels="loss,gates" config="?seed=4&lanes=full~lora.r8~molora.n4.r2" paused theme="dark"></lora-playground>`);
    await it.until(() => window.told[0].some((one) => one.type === "ready"));
    const [ready] = await it.told(0, "ready");
    assert.deepEqual(ready.lanes.map(({ method, rank, experts }) => [method, rank, experts]), [["full", null, null], ["lora", 8, null], ["molora", 2, 4]]);
    assert.equal(ready.config.seed, 4);
    const call = (name, ...given) => it.evaluate(([name, given]) => document.querySelector("lora-playground")[name](...given), [name, given]);
    await call("step");
    await it.until(() => window.told[0].some((one) => one.type === "frame" && one.step === 1 && !one.running));
    await call("run");
    await it.until(() => window.told[0].some((one) => one.type === "frame" && one.step > 60 && one.running && one.losses.every((loss) => loss > 0) && one.now.length > 10));
    await call("pause");
    await it.until(() => !window.told[0].filter((one) => one.type === "frame").at(-1).running);
    const { step, steps, losses, gates } = await call("values", 2);
    assert.deepEqual([steps.length, losses.length, gates.experts, gates.tokens.length], [step, step, 4, 4 * gates.tokenDomains.length]);
    assert.ok(losses.every((loss) => loss > 0) && losses.at(-1) < losses[0], `${losses.at(0)} ${losses.at(-1)}`);
    const files = await it.evaluate(async () => Object.entries(await document.querySelector("lora-playground").adapter(1)).map(([name, bytes]) => [name, bytes.length]));
    assert.ok(files.length >= 2 && files.every(([name, bytes]) => /^adapter_/.test(name) === /safetensors|config/.test(name) && bytes > 100), JSON.stringify(files));
    await assert.rejects(call("values", 7), /lane: 7 is not allowed/);
    await call("setRank", 1, 2);
    await it.until(() => window.told[0].filter((one) => one.type === "ready").at(-1).lanes[1].rank === 2);
    await call("ablate", 2, 1);
    await it.until(() => window.told[0].filter((one) => one.type === "selected").at(-1)?.off?.expert === 1);
    await call("ablate", null);
    await it.until(() => window.told[0].filter((one) => one.type === "selected").at(-1).off === null);
    await call("select", 2);
    await it.until(() => window.told[0].filter((one) => one.type === "selected").at(-1).lane === 2);
    await call("set", { version: 1, seed: 9, lanes: [{ method: "full" }, { method: "lora", rank: 1 }] });
    await it.until(() => { const ready = window.told[0].filter((one) => one.type === "ready").at(-1); return ready.config.seed === 9 && ready.lanes.length === 2; });
    await call("goTo", "rank", 2);
    await it.figure(0).getByText("Step 2 of 4").waitFor();
    await call("goTo", null);
    await it.figure(0).getByText("Step 2 of 4").waitFor({ state: "hidden" });
    assert.deepEqual(await it.told(0, "error"), []);
    assert.deepEqual(it.errors, []);
    const own = it.asked.filter((url) => !url.startsWith(site.origin) && !url.startsWith(host.origin));
    assert.deepEqual(own, [], "another host is asked");
    await it.context().close();
  });

  it("is answered what is wrong with a message, and the run goes on", { timeout: 120_000 }, async () => {
    const it = await page(`<lora-playground panels="loss" config="lanes=full~lora.r8"></lora-playground>`);
    await it.until(() => window.told[0].some((one) => one.type === "frame" && one.step > 20));
    const wrong = [
      [{ type: "dance" }, /type: "dance" is not allowed.*setRank/],
      [{ type: "run", version: 7 }, /version: 7/],
      [{ type: "setRank", lane: 1, rank: "two" }, /rank: "two"/],
      [{ type: "setRank", lane: 8, rank: 2 }, /lane: 8/],
      [{ type: "set", config: { version: 1, lanez: [] } }, /lanez/],
      [{ type: "set", config: "lanes=lora.r99999" }, /99999/],
      [{ type: "ablate", lane: 1, expert: 0 }, /lane: 1.*no experts/],
      [{ type: "goTo", lesson: "alchemy" }, /"alchemy".*rank/],
      [{ type: "goTo", lesson: "rank", step: 44 }, /step: 44/],
    ];
    for (const [at, [message]] of wrong.entries()) await it.evaluate((message) => document.querySelector("lora-playground").send(message), { ...message, id: at });
    await it.until(([count]) => window.told[0].filter((one) => one.type === "error").length >= count, wrong.length);
    const answers = await it.told(0, "error");
    for (const [at, [message, words]] of wrong.entries()) {
      const answer = answers.find(({ id }) => id === at);
      assert.match(answer?.message ?? "", words, JSON.stringify(message));
    }
    const before = (await it.told(0, "frame")).at(-1).step;
    await it.until(([before]) => window.told[0].filter((one) => one.type === "frame").at(-1).step > before + 20, before);
    assert.equal(await it.figure(0).getByRole("alert").count(), 0, "the figure itself is none the worse");
    assert.deepEqual(it.errors, []);
    await it.context().close();
  });

  it("is not heard where the frame was made for another site", { timeout: 120_000 }, async () => {
    const address = `${site.origin}${BASE}?embed=loss&paused&host=${encodeURIComponent("https://elsewhere.example")}`;
    const it = await page(`<iframe id="it" src="${address}" width="640" height="400"></iframe>`);
    const frame = it.frameLocator("#it");
    await frame.getByText(/^step 0 ·/).waitFor({ timeout: 60_000 });
    await it.evaluate(() => {
      window.heard = [];
      addEventListener("message", ({ data }) => window.heard.push(data));
      document.querySelector("#it").contentWindow.postMessage({ to: "lora-playground", version: 1, type: "step" }, "*");
    });
    await it.waitForTimeout(1500);
    assert.match(await frame.locator(".caption .status").innerText(), /step 0/);
    assert.deepEqual(await it.evaluate(() => window.heard), []);
    await it.context().close();
  });

  it("has a figure as high as what is in it", { timeout: 120_000 }, async () => {
    const it = await page(`<lora-playground panels="gates"></lora-playground><lora-playground panels="weight" height="333"></lora-playground>`);
    await it.figure(0).locator("#gates canvas").first().waitFor({ timeout: 60_000 });
    await it.waitForTimeout(1500);
    const sizes = await it.evaluate(() => [...document.querySelectorAll("lora-playground")].map((element) => element.offsetHeight));
    const inside = await it.figure(0).locator("html").evaluate((root) => [root.clientHeight, root.scrollHeight, Math.ceil(document.body.getBoundingClientRect().height)]);
    assert.deepEqual([sizes[0], inside[1]], [inside[2], inside[0]], "all of it, and no more");
    assert.equal(sizes[1], 333);
    await it.context().close();
  });

  it("trains in a frame of scripts alone, where the site allows every origin", { timeout: 180_000 }, async () => {
    const it = await page(`<lora-playground panels="loss,gates" sandbox="allow-scripts"></lora-playground>`);
    await it.until(() => window.told[0].some((one) => one.type === "frame" && one.step > 30));
    assert.equal(await it.figure(0).locator("html").evaluate(() => self.origin), "null");
    await it.evaluate(() => document.querySelector("lora-playground").pause());
    await it.until(() => !window.told[0].filter((one) => one.type === "frame").at(-1).running);
    await it.evaluate(() => document.querySelector("lora-playground").goTo("rank", 1));
    await it.figure(0).getByText("Step 1 of 4").waitFor();
    assert.deepEqual(it.errors, []);
    await it.context().close();
  });

  it("says what a frame of scripts alone needs, where the site does not send it", { timeout: 60_000 }, async () => {
    const it = await page(`<iframe id="it" sandbox="allow-scripts" src="${closed.origin}${BASE}?embed=loss"></iframe>`, { playground: closed });
    await it.frameLocator("#it").getByRole("status").filter({ hasText: "Access-Control-Allow-Origin: *" }).waitFor();
    await it.context().close();
  });

  it("has six figures of one run, with one engine", { timeout: 240_000 }, async () => {
    const panels = ["lanes", "loss", "gates", "method", "weight", "experts"];
    const six = panels.map((panel) => `<lora-playground panels="${panel}" run="one" height="400"></lora-playground>`).join("");
    const it = await page(six);
    await it.until(() => window.told.length === 6 && window.told.every((told) => told.some((one) => one.type === "frame" && one.step > 50)));
    assert.equal(it.workers().length, 1, "one engine");
    // Any of them commands all; each has the whole curve.
    await it.evaluate(() => document.querySelectorAll("lora-playground")[3].pause());
    await it.until(() => new Set(window.told.map((told) => told.filter((one) => one.type === "frame").at(-1)).map(({ step, running }) => `${step} ${running}`)).size === 1 && !window.told[0].filter((one) => one.type === "frame").at(-1).running);
    const losses = await it.evaluate(() => window.told.map((told) => JSON.stringify(told.filter((one) => one.type === "frame").at(-1).losses.map((loss) => loss.toPrecision(2)))));
    assert.equal(new Set(losses).size, 1, `${losses}`);
    // Another run, begun in one of them, is that of all.
    await it.evaluate(() => document.querySelectorAll("lora-playground")[1].set("seed=8&lanes=full~lora.r2"));
    await it.until(() => window.told.every((told) => told.filter((one) => one.type === "ready").at(-1).config.seed === 8));
    await it.evaluate(() => document.querySelectorAll("lora-playground")[5].run());
    await it.until(() => window.told.every((told) => told.filter((one) => one.type === "frame").at(-1).step > 5));
    // One that comes late has what was.
    await it.evaluate((events) => {
      const late = document.createElement("lora-playground");
      for (const [name, value] of Object.entries({ panels: "loss", run: "one", height: "400" })) late.setAttribute(name, value);
      document.body.append(late);
      window.told[6] = [];
      for (const event of events) late.addEventListener(event, ({ detail }) => window.told[6].push(detail));
    }, EVENTS);
    await it.until(() => window.told[6].some((one) => one.type === "frame" && one.step > 5));
    assert.equal(await it.evaluate(() => window.told[6].find((one) => one.type === "ready").config.seed), 8);
    assert.deepEqual(it.errors, []);
    await it.context().close();
  });

  it("is the example of docs/EMBED.md: an author's own buttons drive the figures", { timeout: 180_000 }, async () => {
    const it = await page("", { address: `/example/?playground=${encodeURIComponent(site.origin + BASE)}` });
    await it.getByText(/^Step 0:/).waitFor({ timeout: 60_000 });
    await it.getByRole("button", { name: "Train" }).click();
    await it.getByText(/^Step [1-9]\d\d+:/).waitFor({ timeout: 60_000 });
    await it.getByRole("button", { name: "Pause" }).click();
    await it.getByRole("button", { name: "Train" }).waitFor();
    await it.getByRole("slider").fill("1");
    await it.getByRole("rowheader", { name: /LoRA r1$/ }).waitFor();
    await it.getByRole("button", { name: /second expert/ }).click();
    await it.locator("#off[aria-pressed=true]").waitFor();
    await it.figure(1).getByText("What expert 2 carries").waitFor();
    await it.getByRole("button", { name: "From the beginning" }).click();
    await it.getByText(/^Step 0:/).waitFor();
    await it.getByRole("button", { name: /theory/ }).click();
    await it.figure(0).getByText("Step 1 of 4").waitFor();
    assert.deepEqual(it.errors, []);
    await it.context().close();
  });

  it("reads documents and examples that are what they say", () => {
    const names = [...readFileSync("src/app/address.rs", "utf8").matchAll(/\("(\w+)", Self::\w+\)/g)].map(([, name]) => name);
    const types = readFileSync("www/embed.d.ts", "utf8");
    assert.ok(names.length >= 12 && names.every((name) => types.includes(`"${name}"`)), "every panel is in embed.d.ts");
  });
});
