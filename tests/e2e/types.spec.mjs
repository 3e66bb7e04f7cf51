// The npm package's types under strict TypeScript: what runs compiles, and a misspelt configuration does not.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, mkdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, describe, it } from "node:test";

const TSC = resolve("tests/e2e/node_modules/typescript/bin/tsc");

describe("the npm package's types", () => {
  let project;
  before(() => {
    project = mkdtempSync(join(tmpdir(), "types-"));
    mkdirSync(join(project, "node_modules"));
    symlinkSync(resolve("pkg"), join(project, "node_modules/lora-playground"));
    writeFileSync(join(project, "package.json"), `{ "type": "module" }`);
  });
  after(() => rmSync(project, { recursive: true, force: true }));

  // What the compiler finds wrong with a text, or nothing.
  function faults(code) {
    writeFileSync(join(project, "main.ts"), code);
    const options = ["--noEmit", "--strict", "--exactOptionalPropertyTypes", "--module", "nodenext", "--target", "es2022", "--lib", "es2022,dom"];
    try {
      execFileSync(process.execPath, [TSC, ...options, "main.ts"], { cwd: project, encoding: "utf8", stdio: "pipe" });
      return "";
    } catch (error) {
      return error.stdout;
    }
  }

  const withConfig = (config) => `import init, { Lab } from "lora-playground";\nawait init();\nawait Lab.create(${config});\n`;

  it("take the README's own snippet", () => {
    const [, snippet] = readFileSync("www/npm/README.md", "utf8").match(/<script type="module">\n(.*?)<\/script>/s);
    const code = snippet.replace("./node_modules/lora-playground/lora_playground.js", "lora-playground");
    // What the snippet itself leaves to be looked at by the reader.
    const strict = code.replace("(lane) =>", "(lane: number) =>").replace(".at(-1).", ".at(-1)!.").replace('getElementById("out").', 'getElementById("out")!.');
    assert.equal(faults(strict), "");
  });

  it("take every task, and every method with its own settings", () => {
    const lanes = `[{ method: "lora", rank: 8, layers: [0], targets: ["q_proj"], lr: 0.01 }, { method: "molora", experts: 4, rank: 2, alpha: 4 },
      { method: "mor1e", experts: 8, gate: "running" }, { method: "full" }, { method: "vera" }]`;
    for (const task of [`{ kind: "domains", dim: 64, spectrum: "flat" }`, `{ kind: "digits", domains: ["rotated"] }`, `{ kind: "text", languages: ["tur"] }`, `{ kind: "custom" }`]) {
      assert.equal(faults(withConfig(`{ version: 1, seed: 1, backend: "cpu", task: ${task}, lanes: ${lanes}, schedule: { total: 10 } }`)), "");
    }
  });

  for (const [what, config, said] of [
    ["keys", `{ version: 1, lanez: [{ methd: "lora" }] }`, /lanez/],
    ["a lane's keys", `{ version: 1, lanes: [{ method: "lora", rnk: 8 }] }`, /rnk/],
    ["a method's name", `{ version: 1, lanes: [{ method: "lorra" }] }`, /lorra/],
    ["another method's setting", `{ version: 1, lanes: [{ method: "full", rank: 8 }] }`, /rank/],
    ["a task's keys", `{ version: 1, task: { kind: "digits", dim: 8 }, lanes: [{ method: "full" }] }`, /dim/],
    ["another version", `{ version: 2, lanes: [{ method: "full" }] }`, /version|2/],
  ]) {
    it(`refuse ${what}`, () => assert.match(faults(withConfig(config)), said));
  }
});
