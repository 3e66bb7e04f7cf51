// Real adapters through the JavaScript API: every case that PEFT wrote, against what PEFT makes of it.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { openLab } from "./lab.mjs";

const FIXTURES = new URL("../fixtures/peft/", import.meta.url);
// What a file does not hold cannot be measured: that case is refused, below.
const UNSAVED = "llama_vera_unsaved";
const CASES = readdirSync(FIXTURES).filter((name) => name !== UNSAVED);

describe("Adapter", () => {
  let opened;
  let page;
  before(async () => {
    opened = await openLab({ "/peft/": "tests/fixtures/peft" });
    page = opened.page;
    await page.evaluate(() => {
      const blob = async (path) => (await fetch(`/peft/${path}`)).blob();
      window.openCase = async (name) =>
        Adapter.open({
          adapter: await blob(`${name}/adapter/adapter_model.safetensors`),
          config: await blob(`${name}/adapter/adapter_config.json`),
          base: [await blob(`${name}/base/model.safetensors`)],
        });
      // Tensors of a file of F32s, by name.
      window.tensors = (bytes) => {
        const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
        const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
        const values = ([from, to]) => new Float32Array(bytes.slice(8 + length + from, 8 + length + to).buffer);
        delete header.__metadata__;
        return Object.fromEntries(Object.entries(header).map(([name, t]) => [name, values(t.data_offsets)]));
      };
    });
  });
  after(() => opened?.close());

  for (const name of CASES) {
    const expected = JSON.parse(readFileSync(new URL(`${name}/expected.json`, FIXTURES)));

    it(`measures ${name} as PEFT does`, async () => {
      const { rows, notUnderstood } = await page.evaluate(async (name) => {
        const adapter = await openCase(name);
        return { rows: await adapter.overview(), notUnderstood: adapter.notUnderstood };
      }, name);
      assert.deepEqual(notUnderstood, []);
      const seen = [];
      for (const row of rows) {
        const key = row.form === "whole" ? row.name : `${row.name}.weight`;
        if (row.rank === 0 && row.form !== "whole") continue;
        seen.push(key);
        const { delta_frobenius: norm, delta_singular_values: values, shape } = expected[key];
        assert.deepEqual(row.shape, shape);
        assert.ok(Math.abs(row.norm / norm - 1) < 1e-4, `${key}: ${row.norm}, not ${norm}`);
        const noise = 1e-7 * Math.max(norm, row.baseNorm);
        values.forEach((value, i) => {
          const got = row.singular[i] ?? 0;
          assert.ok(Math.abs(got - value) < 1e-4 * value + noise, `${key} ${i}: ${got}, not ${value}`);
        });
      }
      assert.deepEqual(seen.sort(), Object.keys(expected).filter((key) => !key.endsWith(".bias")).sort());
    });

    it(`merges ${name} as PEFT does`, async () => {
      const { worst, compared, report } = await page.evaluate(async (name) => {
        const adapter = await openCase(name);
        const pieces = [];
        const report = await adapter.merge(async (piece) => void pieces.push(piece));
        const ours = tensors(new Uint8Array(await new Blob(pieces).arrayBuffer()));
        const file = await (await fetch(`/peft/${name}/merged.safetensors`)).arrayBuffer();
        const theirs = tensors(new Uint8Array(file));
        let worst = 0;
        for (const [key, values] of Object.entries(theirs)) {
          values.forEach((v, i) => (worst = Math.max(worst, Math.abs(ours[key][i] - v) / (1e-4 + 1e-3 * Math.abs(v)))));
        }
        return { worst, compared: Object.keys(theirs).length, report };
      }, name);
      assert.equal(compared, Object.keys(expected).length);
      assert.ok(worst < 1, `${worst} of the tolerance`);
      assert.deepEqual([report.notFinite, report.leftOut], [[], []]);
      assert.ok(report.changed >= compared);
    });
  }

  it("takes shapes that an adapter does not hold from its base", async () => {
    const got = await page.evaluate(async (unsaved) => {
      const blob = async (path) => (await fetch(`/peft/llama_vera_shapes/${path}`)).blob();
      const alone = await Adapter.open({
        adapter: await blob("adapter/adapter_model.safetensors"),
        config: await blob("adapter/adapter_config.json"),
      });
      const message = (promise) => promise.then(() => null, (e) => e.message);
      const full = await openCase("llama_vera_shapes");
      return {
        alone: [alone.modules(), alone.notUnderstood],
        saving: await message(alone.save()),
        forms: full.modules().map((m) => [m.form, m.rank, m.shape]),
        saved: JSON.parse((await full.save()).config).peft_type,
        unsaved: await message(openCase(unsaved)),
      };
    }, UNSAVED);
    assert.deepEqual(got.alone[0], []);
    assert.equal(got.alone[1].length, 1);
    assert.match(got.alone[1][0], /the number of inputs is not in the file; open the base/);
    assert.match(got.saving, /the base that the adapter is for/);
    assert.deepEqual(got.forms, [["vera", 6, [32, 64]], ["vera", 6, [64, 32]], ["vera", 6, [16, 32]]]);
    assert.equal(got.saved, "LORA");
    assert.match(got.unsaved, /does not hold base_model.vera_A and base_model.vera_B.*projection_prng_key/);
  });

  it("resizes, saves and opens again", async () => {
    const got = await page.evaluate(async () => {
      const adapter = await openCase("llama_lora");
      const small = await adapter.resize(2);
      const [{ name }] = small.modules();
      const saved = await adapter.save({ rank: 2, dtype: "F16" });
      const again = await Adapter.open({ adapter: saved.adapter, config: new Blob([saved.config]) });
      return {
        ranks: small.modules().map((m) => m.rank),
        full: [...(await adapter.spectrum(name))],
        kept: [...(await small.spectrum(name))],
        half: again.modules().map((m) => m.dtype),
        error: saved.errors.find((e) => e.name === name).error,
        merged: (await small.weight(name, "merged")).length,
        nothing: await again.weight(name, "base"),
      };
    });
    assert.deepEqual([got.ranks, got.half, got.merged, got.nothing], [Array(4).fill(2), Array(4).fill("F16"), 1024, null]);
    got.kept.forEach((value, i) => assert.ok(Math.abs(value - got.full[i]) < 1e-5));
    const tail = Math.hypot(...got.full.slice(2)) / Math.hypot(...got.full);
    assert.ok(Math.abs(got.error - tail) < 1e-6, `${got.error}, not ${tail}`);
  });

  it("compares two, and combines them", async () => {
    const got = await page.evaluate(async () => {
      const [a, b] = [await openCase("llama_lora"), await openCase("llama_lora_bf16")];
      const table = await a.compare(b);
      const { name } = table.find((row) => row.comparison);
      const sum = await a.combine(b, [1, -0.5], "cat");
      const small = await a.combine(b, [1, -0.5], "svd", 3);
      const weights = [];
      for (const adapter of [a, b, sum]) weights.push([...(await adapter.weight(name, "change"))]);
      const refused = (how, weights) => a.combine(b, weights, how).then(() => null, (e) => e.message);
      return {
        table,
        name,
        weights,
        again: (await a.compare(a)).map((row) => row.comparison.cosine),
        ranks: [sum, small].map((adapter) => adapter.modules().find((m) => m.name === name).rank),
        full: [...(await sum.spectrum(name))],
        kept: [...(await small.spectrum(name))],
        refused: [await refused("mean", [1, 1]), await refused("cat", [1]), await refused("linear", [1, 1])],
      };
    });
    const one = got.table.filter((row) => row.comparison === null);
    assert.ok(one.length > 0 && one.every((row) => row.why === "only the second adapts it"), JSON.stringify(one[0]));
    const [a, b, sum] = got.weights;
    const dot = (x, y) => x.reduce((total, v, i) => total + v * y[i], 0);
    const { cosine, norms, together } = got.table.find((row) => row.name === got.name).comparison;
    const near = (x, y, what) => assert.ok(Math.abs(x - y) < 1e-4 * (1 + Math.abs(y)), `${what}: ${x}, not ${y}`);
    near(cosine, dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b)), "cosine");
    near(norms[0], Math.sqrt(dot(a, a)), "norm");
    near(together, Math.sqrt(dot(a, a) + 2 * dot(a, b) + dot(b, b)), "both together");
    sum.forEach((v, i) => assert.ok(Math.abs(v - a[i] + 0.5 * b[i]) < 1e-5, "the sum"));
    assert.ok(got.again.every((cosine) => cosine > 1 - 1e-9));
    assert.deepEqual(got.ranks, [12, 3]);
    got.kept.forEach((value, i) => near(value, got.full[i], "kept"));
    assert.match(got.refused[0], /how.*"mean"/);
    assert.match(got.refused[1], /weights: expected two numbers, got 1 of them/);
    assert.match(got.refused[2], /one rank in all adapters/);
  });

  for (const [what, files, words] of [
    ["nothing", "null", ["files", "adapter"]],
    ["no file", "{ adapter: 7 }", ["adapter", "File, Blob, Uint8Array or text", "7"]],
    ["a page in place of a file", "{ adapter: new Blob(['<!doctype html><p>not found']) }", ["is a web page, not the file"]],
    ["a header of giant length", "{ adapter: new Uint8Array(16).fill(255) }", ["18446744073709551615"]],
    ["another kind of adapter", "{ adapter: new Blob(['']), config: new Blob(['{\"peft_type\":\"IA3\"}']) }", ["IA3"]],
  ]) {
    it(`refuses ${what}`, async () => {
      const message = await page.evaluate(`Adapter.open(${files}).then(() => null, (e) => e instanceof Error && e.message)`);
      assert.ok(message, "Adapter.open must reject with an Error");
      for (const word of words) assert.ok(message.includes(word), message);
    });
  }

  it("stops where it is told to", async () => {
    const message = await page.evaluate(async () => {
      const adapter = await openCase("llama_lora_bf16");
      return adapter.overview((done) => done < 3).then(() => null, (e) => e.message);
    });
    assert.match(message, /stop/);
  });
});
