// The npm package in Node: it finds what lies beside it, trains on the CPU, and refuses in words what cannot work.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { before, describe, it } from "node:test";

const CONFIG = { version: 1, lanes: [{ method: "lora", rank: 4 }] };
const CUSTOM = { ...CONFIG, task: { kind: "custom" } };
const data = (more) => ({ shape: { batch: 1, sequence: 1, in: 8, out: 8 }, x: new Float32Array(8), y: new Float32Array(8), ...more });

describe("the npm package, in Node", () => {
  let Lab, Adapter;
  before(async () => {
    const { default: init, ...engine } = await import("../../pkg/lora_playground.js");
    ({ Lab, Adapter } = engine);
    await assert.rejects(Lab.create(CONFIG), /not loaded yet: await init\(\)/);
    await init();
  });

  it("runs the README's snippet", () => {
    const [, snippet] = readFileSync("www/npm/README.md", "utf8").match(/## In Node\n\n```js\n(.*?)```/s);
    const project = mkdtempSync(join(tmpdir(), "node-"));
    mkdirSync(join(project, "node_modules"));
    symlinkSync(resolve("pkg"), join(project, "node_modules/lora-playground"));
    writeFileSync(join(project, "main.mjs"), snippet);
    const said = execFileSync(process.execPath, ["main.mjs"], { cwd: project, encoding: "utf8" });
    rmSync(project, { recursive: true, force: true });
    assert.match(said, /^cpu 0\.\d+\n$/);
  });

  it("trains on the CPU, since there is no WebGPU, and finds the digits", async () => {
    const lab = await Lab.create(CONFIG);
    assert.equal(lab.backend, "cpu");
    await lab.train(3);
    assert.equal((await lab.losses(0)).length, 3);
    lab.free();
    await assert.rejects(Lab.create({ ...CONFIG, backend: "webgpu" }), /no WebGPU outside of browsers/);
    const digits = await Lab.create({ ...CONFIG, task: { kind: "digits", pretrain: 10 } });
    await digits.train(2);
    assert.ok((await digits.losses(0)).every(Number.isFinite));
    digits.free();
  });

  it("says what is wrong with an argument, and goes on", async () => {
    const lab = await Lab.create({ ...CONFIG, backend: "cpu" });
    for (const value of [NaN, null, undefined, 1.5, "1"]) {
      await assert.rejects(lab.losses(value), /^TypeError: lane: expected a whole number, got /);
      assert.throws(() => lab.parameterCount(value), /lane: expected a whole number/);
    }
    await assert.rejects(lab.train(NaN), /steps: expected a whole number, got NaN/);
    await assert.rejects(lab.train(-1), /steps/);
    await assert.rejects(lab.tensor(0), /name: expected a string, got undefined/);
    await assert.rejects(lab.tensor(0, "no.such"), /no\.such/);
    await assert.rejects(lab.setTensor(0, "layers.0.lora_A", [1, 2]), /data: expected a Float32Array, got Array/);
    await assert.rejects(lab.setRank(0, "2"), /rank: expected a whole number, got "2"/);
    assert.throws(() => lab.generate(0, 5), /prompt: expected a string, got 5/);
    await lab.train(1);
    assert.equal(lab.step, 1);
    lab.free();
    lab.free();
    await assert.rejects(lab.train(1), /this lab has been freed/);
    assert.throws(() => lab.step, /this lab has been freed/);
    assert.throws(() => lab.tensors(0), /this lab has been freed/);
  });

  it("is not made by new", () => {
    assert.throws(() => new Lab(), /await Lab\.create/);
    assert.throws(() => new Adapter(), /await Adapter\.open/);
  });

  it("refuses keys that nobody reads", async () => {
    await assert.rejects(Lab.create({ version: 1, lanez: [{ methd: "lora" }] }), /lanez/);
    await assert.rejects(Lab.create(CUSTOM, data({ baseweight: new Float32Array(64) })), /the key "baseweight"/);
    await assert.rejects(Lab.create(CUSTOM, data({ shape: { batch: 1, sequence: 1, in: 8, outs: 8 } })), /the key "outs"/);
    const model = { config: JSON.parse(readFileSync("pkg/data/lm/config.json", "utf8")), weights: [] };
    const text = { ...CONFIG, task: { kind: "text", model: "custom" } };
    await assert.rejects(Lab.create(text, { model: { ...model, tokeniser: {} } }), /data\.model.*the key "tokeniser"/);
    await assert.rejects(Lab.create(text, { model, shape: { batch: 1, sequense: 8 } }), /data\.shape.*the key "sequense"/);
    await assert.rejects(Lab.create(text, { model, texts: { training: {} } }), /data\.texts.*the key "training"/);
    const lab = await Lab.create(CUSTOM, data({ baseWeight: new Float32Array(64) }));
    lab.free();
  });
});
