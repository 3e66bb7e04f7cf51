// Adapters as people have them, through the JavaScript API in Chromium; all of them natively in tests/adapter_cases.rs.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { openLab } from "./lab.mjs";

describe("Adapters as people have them", () => {
  let opened;
  let page;
  before(async () => {
    opened = await openLab({ "/cases/": "tests/fixtures/adapter_cases" });
    page = opened.page;
    await page.evaluate(() => {
      const blob = async (path) => {
        const answer = await fetch(`/cases/${path}`);
        return answer.ok ? answer.blob() : undefined;
      };
      window.openCase = async (name, { config = true, base = true } = {}) =>
        Adapter.open({
          adapter: await blob(`${name}/adapter_model.safetensors`),
          config: config ? await blob(`${name}/adapter_config.json`) : undefined,
          base: base ? [await blob(`${name}/base.safetensors`)].filter(Boolean) : undefined,
        });
      window.tensors = (bytes) => {
        const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
        const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
        const values = ([from, to]) => [...new Float32Array(bytes.slice(8 + length + from, 8 + length + to).buffer)];
        const metadata = header.__metadata__;
        delete header.__metadata__;
        return { metadata, values: Object.fromEntries(Object.entries(header).map(([n, t]) => [n, values(t.data_offsets)])) };
      };
      window.mergeCase = async (adapter) => {
        const pieces = [];
        const report = await adapter.merge((piece) => void pieces.push(piece));
        return { report, ...tensors(new Uint8Array(await new Blob(pieces).arrayBuffer())) };
      };
      window.expectedOf = async (name) => {
        const file = await blob(`${name}/expected_merged.safetensors`);
        return tensors(new Uint8Array(await file.arrayBuffer())).values;
      };
    });
  });
  after(() => opened?.close());

  const merges = [
    "comfy_dots_with_alpha",
    "kohya_dora_scale",
    "locon_tucker",
    "moe_target_parameters",
    "pissa",
    "tied_lora_head",
    "vl_gemma3",
    "resized_vocab",
  ];
  for (const name of merges) {
    it(`merges ${name} as it should, planned before and proved after`, async () => {
      const { plan, report, values, expected } = await page.evaluate(async (name) => {
        const adapter = await openCase(name);
        const plan = adapter.mergePlan();
        return { plan, ...(await mergeCase(adapter)), expected: await expectedOf(name) };
      }, name);
      for (const [key, wanted] of Object.entries(expected)) {
        assert.equal(values[key]?.length, wanted.length, key);
        const far = wanted.findIndex((v, i) => !(Math.abs(values[key][i] - v) <= 1e-6 + 1e-5 * Math.abs(v)));
        assert.equal(far, -1, `${key} at ${far}`);
      }
      assert.equal(report.changed, plan.changes.length);
      assert.deepEqual([report.leftOut, plan.leftOut], [[], []]);
      assert.ok(report.proof.largest < 1e-5 && report.proof.inputs > 0 && plan.changes.includes(report.proof.at));
    });
  }

  it("keeps a module's trouble with it, and refuses what cannot be right", async () => {
    const got = await page.evaluate(async () => {
      const refused = async (name) => (await openCase(name)).merge(() => {}).then(() => null, (error) => error.message);
      const clip = await openCase("sdxl_te1_te2");
      return {
        rows: (await clip.overview()).map(({ norm, baseNorm, why }) => ({ norm, baseNorm, why })),
        left: (await mergeCase(clip)).report.leftOut,
        fp8: (await (await openCase("fp8_block_scaled_base")).overview())[0].baseNorm,
        refused: await Promise.all(["bnb4_base", "gptq_base", "fp8_block_scaled_base", "loftq", "sd3_te2_on_te1_base"].map(refused)),
        unopened: await Promise.all(["lfs_pointer", "torch_bin"].map((n) => openCase(n).then(() => null, (e) => e.message))),
      };
    });
    assert.ok(got.rows[0].baseNorm > 0 && got.rows[0].why === null);
    assert.ok(got.rows[1].norm > 0 && got.rows[1].baseNorm === null);
    assert.match(got.rows[1].why, /no weight for "lora_te2_/);
    assert.ok(got.left.length === 1 && got.left[0].startsWith("lora_te2_"), got.left);
    assert.ok(Math.abs(got.fp8 / 8.008866524581888 - 1) < 1e-6, got.fp8);
    got.refused.slice(0, 3).forEach((message) => assert.match(message, /quantised/));
    assert.match(got.refused[3], /loftq/);
    assert.match(got.refused[4], /has no weight for/);
    assert.match(got.unopened[0], /Git LFS pointer/);
    assert.match(got.unopened[1], /torch\.load/);
  });

  it("saves as it came, and loses nothing without a word", async () => {
    const got = await page.evaluate(async () => {
      const diffusers = await openCase("header_diffusers");
      const saved = await diffusers.save({ rank: 2 });
      const again = await Adapter.open({ adapter: saved.adapter });
      const experts = await (await openCase("moe_target_parameters")).resize(2);
      const dora = await openCase("dora_missing_magnitude");
      return {
        ...tensors(saved.adapter),
        config: saved.config,
        scaling: again.modules()[0].scaling,
        experts: [experts.notUnderstood, (await experts.save()).leftOut, JSON.parse((await experts.save()).config)],
        dora: dora.notUnderstood,
      };
    });
    assert.deepEqual([got.config, got.scaling], [null, 4]);
    assert.ok(Object.keys(got.values).every((key) => key.startsWith("transformer.transformer_blocks.0.attn.to_q.lora_")));
    assert.equal(JSON.parse(got.metadata.lora_adapter_metadata)["transformer.r"], 2);
    for (const list of got.experts.slice(0, 2)) assert.match(list.join(), /experts are saved only as they are/);
    assert.equal(got.experts[2].target_parameters, undefined);
    assert.match(got.dora.join(), /use_dora: is true, but the file holds no magnitudes/);
  });

  it("compares and combines any number", async () => {
    const got = await page.evaluate(async () => {
      const [a, b, c] = await Promise.all(["other_adapter_name", "config_bom", "loftq"].map((name) => openCase(name, { base: false })));
      const sum = await a.combine([b, c], [1, -0.5, 2], "cat");
      const name = a.modules()[0].name;
      const all = [];
      for (const adapter of [a, b, c, sum]) all.push([...(await adapter.weight(name, "change"))]);
      const refused = (value) => a.combine(value, [1, 1], "cat").then(() => null, (error) => error.message);
      return { all, table: await a.compare([b, c]), refused: [await refused([b, c]), await refused([7])], ranks: sum.modules()[0].rank };
    });
    const [a, b, c, sum] = got.all;
    sum.forEach((v, i) => assert.ok(Math.abs(v - a[i] + 0.5 * b[i] - 2 * c[i]) < 1e-5, `${i}`));
    assert.deepEqual(got.table.map(({ first, second }) => [first, second]), [[0, 1], [0, 2], [1, 2]]);
    assert.ok(got.table.every(({ modules }) => modules.length === 1 && modules[0].comparison));
    assert.equal(got.ranks, 12);
    assert.match(got.refused[0], /3 numbers, one for each adapter, got 2/);
    assert.match(got.refused[1], /an open Adapter, or an array of them/);
  });
});
