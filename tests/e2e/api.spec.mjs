// The JavaScript API as its users meet it: readable refusals that leave a lab unharmed, the same run from the same
// seed, and a rank changed in mid-training.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { openLab } from "./lab.mjs";

const LANES = [
  { method: "lora", rank: 4, alpha: 8 },
  { method: "molora", experts: 4, rank: 2, alpha: 4 },
  { method: "mor1e", experts: 8, alpha: 2 },
  { method: "full" },
];

// Each is refused; the message has to name what is wrong and its value.
const REFUSED = {
  "an unknown key": [{ version: 1, lanes: LANES, colour: "red" }, ["colour"]],
  "a wrong type": [{ version: 1, lanes: [{ method: "lora", rank: "four" }] }, ["rank", "four"]],
  "a value out of range": [{ version: 1, lanes: [{ method: "lora", rank: 0 }] }, ["rank", "0"]],
  "an unknown method": [{ version: 1, lanes: [{ method: "magic" }] }, ["method", "magic"]],
  "a future version": [{ version: 99, lanes: LANES }, ["version", "99"]],
  "no lanes": [{ version: 1, lanes: [] }, ["lanes"]],
  "a missing version": [{ lanes: LANES }, ["version"]],
  "custom without data": [{ version: 1, task: { kind: "custom" }, lanes: LANES }, ["data"]],
  "nothing at all": [null, []],
};

describe("the JavaScript API", () => {
  let opened;
  let page;
  before(async () => {
    opened = await openLab();
    page = opened.page;
  });
  after(() => opened?.close());

  for (const [what, [config, words]] of Object.entries(REFUSED)) {
    it(`refuses ${what}`, async () => {
      const refusal = await page.evaluate(async (config) => {
        try {
          await Lab.create(config);
          return { message: null };
        } catch (error) {
          return { message: error?.message, isError: error instanceof Error };
        }
      }, config);
      assert.ok(refusal.message, "Lab.create must reject, with a message");
      assert.ok(refusal.isError, "what is thrown must be an Error");
      for (const word of words) assert.match(refusal.message, new RegExp(word));
    });
  }

  it("refuses data that do not fit their shape", async () => {
    const message = await page.evaluate(async () => {
      const shape = { batch: 2, sequence: 3, in: 4, out: 5 };
      const config = { version: 1, task: { kind: "custom" }, lanes: [{ method: "full" }] };
      return Lab.create(config, { shape, x: new Float32Array(7), y: new Float32Array(30) }).then(() => null, (e) => e.message);
    });
    assert.match(message, /\bx\b/);
    assert.match(message, /24/);
    assert.match(message, /7/);
  });

  for (const backend of ["webgpu", "cpu"]) {
    it(`goes on after bad arguments, on ${backend}`, async () => {
      const result = await page.evaluate(async ({ lanes, backend }) => {
        const lab = await Lab.create({ version: 1, backend, lanes });
        await lab.train(3);
        const before = Array.from(await lab.tensor(0, "layers.0.lora_A"));
        const calls = {
          "a lane that is not there": () => lab.losses(9),
          "tensors of a lane that is not there": async () => lab.tensors(9),
          "parameterCount of a lane that is not there": async () => lab.parameterCount(9),
          "a tensor that is not there": () => lab.tensor(0, "layers.0.lora_C"),
          "a layer that is not there": () => lab.tensor(0, "layers.7.lora_A"),
          "too few values": () => lab.setTensor(0, "layers.0.lora_A", new Float32Array(3)),
          "a tensor that is computed": () => lab.setTensor(0, "layers.0.grad.lora_A", new Float32Array(before.length)),
          "rank 0": () => lab.setRank(0, 0),
          "a rank beyond the layer": () => lab.setRank(0, 100000),
          "rank of full fine-tuning": () => lab.setRank(3, 2),
          "a negative number of steps": () => lab.train(-1),
          "half a step": () => lab.train(0.5),
          "no number of steps": () => lab.train(NaN),
        };
        const refusals = {};
        for (const [what, call] of Object.entries(calls)) {
          refusals[what] = await call().then(() => null, (error) => (error instanceof Error ? error.message : `not an Error: ${error}`));
        }
        const after = Array.from(await lab.tensor(0, "layers.0.lora_A"));
        const stepBefore = lab.step;
        await lab.train(2);
        const losses = Array.from(await lab.losses(0));
        const outcome = { refusals, unharmed: JSON.stringify(before) === JSON.stringify(after), stepBefore, step: lab.step, losses };
        lab.free();
        return outcome;
      }, { lanes: LANES, backend });

      for (const [what, message] of Object.entries(result.refusals)) {
        assert.ok(message, `${what} must be refused`);
        assert.doesNotMatch(message, /not an Error|unreachable|panicked/, what);
      }
      assert.ok(result.unharmed, "refused calls must not change the weights");
      assert.equal(result.stepBefore, 3);
      assert.equal(result.step, 5);
      assert.equal(result.losses.length, 5);
      assert.ok(result.losses.every(Number.isFinite));
    });

    it(`runs the same from the same seed, bit for bit, on ${backend}`, async () => {
      const [first, again, other] = await page.evaluate(async ({ lanes, backend }) => {
        const run = async (seed, pieces) => {
          const lab = await Lab.create({ version: 1, seed, backend, lanes });
          for (const steps of pieces) await lab.train(steps);
          const all = [];
          for (let lane = 0; lane < lanes.length; lane++) all.push(Array.from(await lab.losses(lane)));
          lab.free();
          return all;
        };
        return [await run(7, [30]), await run(7, [1, 9, 20]), await run(8, [30])];
      }, { lanes: LANES, backend });
      assert.deepEqual(first, again);
      assert.notDeepEqual(first, other);
      assert.equal(first[0].length, 30);
    });

    it(`leaves the function alone when a rank grows, on ${backend}`, async () => {
      const { lanes, untouched } = await page.evaluate(async ({ lanes, backend }) => {
        // Two runs from one seed; in the first the ranks grow after 40 steps. The batch of the next step is the same in
        // both, and so must be its loss.
        const config = { version: 1, backend, lanes, schedule: { warmup: 0, total: 1000 } };
        const grown = await Lab.create(config);
        const plain = await Lab.create(config);
        await grown.train(40);
        await plain.train(40);
        const results = [];
        for (const [lane, rank] of [[0, 8], [1, 4]]) {
          const sizeBefore = grown.parameterCount(lane);
          const before = Array.from(await grown.tensor(lane, "output"));
          await grown.setRank(lane, rank);
          const after = Array.from(await grown.tensor(lane, "output"));
          const off = Math.max(...before.map((value, i) => Math.abs(value - after[i])));
          const scale = Math.max(...before.map(Math.abs));
          results.push({ lane, change: off / scale, sizeBefore, sizeAfter: grown.parameterCount(lane) });
        }
        await grown.train(10);
        await plain.train(10);
        for (const result of results) {
          result.losses = Array.from(await grown.losses(result.lane));
          result.plainLoss = (await plain.losses(result.lane))[40];
        }
        const untouched = [Array.from(await grown.losses(3)), Array.from(await plain.losses(3))];
        grown.free();
        plain.free();
        return { lanes: results, untouched };
      }, { lanes: LANES, backend });
      for (const { lane, change, sizeBefore, sizeAfter, losses, plainLoss } of lanes) {
        assert.equal(sizeAfter > sizeBefore, true, `lane ${lane} has more parameters`);
        assert.ok(change <= 1e-6, `lane ${lane}: output changed by ${change} relative`);
        assert.equal(losses.length, 50);
        assert.ok(losses.every(Number.isFinite));
        const off = Math.abs(losses[40] - plainLoss) / plainLoss;
        assert.ok(off <= 1e-5, `lane ${lane}: the next loss is ${losses[40]}, without growth ${plainLoss}`);
      }
      assert.deepEqual(untouched[0], untouched[1], "other lanes go on as if nothing had happened");
    });
  }

  for (const backend of ["webgpu", "cpu"]) {
    it(`holds memory flat over 20,000 steps, on ${backend}`, async () => {
      const session = await page.context().newCDPSession(page);
      // Bytes in use once garbage is gone: the engine's own, and JavaScript's.
      const used = async () => {
        await session.send("HeapProfiler.collectGarbage");
        await session.send("Performance.enable");
        const { metrics } = await session.send("Performance.getMetrics");
        const script = metrics.find(({ name }) => name === "JSHeapUsedSize").value;
        return script + (await page.evaluate(() => memory.buffer.byteLength));
      };
      await page.evaluate(
        async ([backend, lanes]) => {
          const task = { kind: "domains", dim: 16, domains: 2, true_rank: 2, batch: 4, sequence: 2 };
          window.lab = await Lab.create({ version: 1, backend, task, lanes, schedule: { warmup: 50, total: 30_000 } });
          await lab.train(2_000);
        },
        [backend, LANES],
      );
      const before = await used();
      await page.evaluate(() => lab.train(20_000));
      const grown = (await used()) - before;
      const steps = await page.evaluate(() => {
        const { step } = lab;
        lab.free();
        return step;
      });
      assert.equal(steps, 22_000);
      // The losses of every step are kept: 8 bytes for each of 20,000 steps and four lanes, in a vector that doubles.
      const kept = 2 * 8 * 20_000 * LANES.length;
      assert.ok(grown <= kept + 512 * 1024, `${grown} bytes more`);
    });
  }

  it("says why a backend cannot be had", async () => {
    const message = await page.evaluate(async () => {
      // A page in which the browser finds no adapter.
      Object.defineProperty(navigator.gpu, "requestAdapter", { value: async () => null, configurable: true });
      try {
        return await Lab.create({ version: 1, backend: "webgpu", lanes: [{ method: "full" }] }).then(() => null, (e) => e.message);
      } finally {
        delete navigator.gpu.requestAdapter;
      }
    });
    assert.match(message ?? "", /webgpu/i);
  });
});
