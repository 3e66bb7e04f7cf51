/**
 * Trains adapters on a frozen base network: LoRA, MoLoRA, MoR1E and full fine-tuning, on WebGPU or the CPU.
 *
 * Lanes train side by side on the same batches. Calls wait their turn: `train` may be called before an earlier
 * call has resolved. Every rejection is an `Error` whose message names the offending value; the lab stays usable.
 */
export class Lab {
  private constructor();
  /**
   * Set up a run.
   * @param config The configuration document, `{ version: 1, lanes: [...], ... }`; keys left out take their defaults.
   *   A MoR1E lane's `gate` is `"pooled"`, `"token"` or `"prototype"`; its `flex`, a divisor p of `experts`, has p vectors that
   *   read and `experts / p` that write shared by all experts: `v [p, in]`, `u [experts / p, out]`.
   * @param data Arrays, for `task: { kind: "custom" }` and only for it.
   * @throws if the configuration or the data is not allowed, or `backend: "webgpu"` cannot be had here.
   */
  static create(config: object, data?: CustomData): Promise<Lab>;
  /** Where it trains. */
  readonly backend: "webgpu" | "cpu";
  /** Steps done. */
  readonly step: number;
  /** Train so many steps; resolves when the GPU has done them. A lane whose loss is no longer a number stops alone. */
  train(steps: number): Promise<void>;
  /**
   * Task loss before each step so far, without the balance term: mean squared error over all elements, or mean
   * cross-entropy (nats) over tokens. Ends at the first loss that is not a number.
   */
  losses(lane: number): Promise<Float64Array>;
  /** Names and shapes of all tensors of a lane. */
  tensors(lane: number): { name: string; shape: number[] }[];
  /**
   * Values of a tensor, row-major.
   *
   * - parameters: `"layers.0.lora_A"` (PEFT's names; for experts `[N, R, in]`, `[N, out, R]`)
   * - prototypes of a MoR1E lane with `gate: "prototype"`: `"layers.0.gate.prototypes"` `[experts, in]`, found in the data
   *   and not trained
   * - gradients: `"layers.0.grad.lora_A"`, those of the most recent step; before the first, and after `setTensor`,
   *   of the current parameters
   * - gates: `"layers.0.gate"` `[batch, sequence, experts]`, of the most recent forward pass, likewise; shares of 1, but
   *   behind prototypes, where they may be negative
   * - the frozen base: `"layers.0.base.weight"` `[out, in]`, `"layers.0.base.bias"` `[out]`
   * - `"output"` `[batch, sequence, out]`: of the current parameters on the next step's batch
   */
  tensor(lane: number, name: string): Promise<Float32Array>;
  /** Set a parameter, or prototypes; `data` is row-major and as long as the tensor. The optimiser's state stays. */
  setTensor(lane: number, name: string, data: Float32Array): Promise<void>;
  /**
   * Change the rank (LoRA, MoLoRA) or the number of experts (MoR1E) of the trained adapter, without a reset. Growing
   * leaves the output unchanged; shrinking keeps the best part: the truncated SVD of ΔW (per expert), or the experts
   * that carry most. The optimiser's state follows. Rejected for lanes whose size is part of how they begin: MoRA, AdaLoRA,
   * PiSSA, and MoR1E with prototypes or shared vectors (`flex`).
   */
  setRank(lane: number, rank: number): Promise<void>;
  /** Trainable parameters of a lane. */
  parameterCount(lane: number): number;
  /** Release the GPU's memory. The lab cannot be used afterwards. */
  free(): void;
}

/** Data for `task: { kind: "custom" }`: one linear layer; the whole of `x` is every step's batch. */
export type CustomData = {
  shape: { batch: number; sequence: number; in: number; out: number };
  /** `[batch, sequence, in]`, row-major. */
  x: Float32Array;
  /** `[batch, sequence, out]`, row-major. */
  y: Float32Array;
  /** Frozen weight `[out, in]`; absent: zeros. */
  baseWeight?: Float32Array;
  /** Frozen bias `[out]`; absent: zeros. */
  baseBias?: Float32Array;
};
