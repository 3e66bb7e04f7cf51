// This project's engine as a contender, through its JavaScript API. Runs in the page.
import { ADAM, layer } from "./data.mjs";

let engine;

export async function start(backend, { method, size, rank, experts }) {
  if (!engine) {
    engine = await import("/pkg/lora_playground.js");
    await engine.default();
  }
  const { x, y, weight } = layer(size);
  // alpha = rank: scaling 1, as the peers have it.
  const lane = method === "lora" ? { method, rank, alpha: rank } : { method, experts, rank, alpha: rank };
  const lab = await engine.Lab.create(
    {
      version: 1,
      backend,
      task: { kind: "custom" },
      lanes: [lane],
      optimizer: { ...ADAM, weight_decay: 0 },
      schedule: { warmup: 0, total: 100000 },
    },
    { shape: { batch: size, sequence: 1, in: size, out: size }, x, y, baseWeight: weight },
  );
  return {
    async train(steps) {
      await lab.train(steps);
    },
    async loss() {
      return (await lab.losses(0)).at(-1);
    },
    async firstLoss() {
      return (await lab.losses(0))[0];
    },
    stop: () => lab.free(),
  };
}
