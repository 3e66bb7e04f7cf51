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
   *   On `task: { kind: "text" }` a MoR1E lane's `gate` is `"token"` or `"running"` (one gate per token, of the mean of the
   *   tokens so far): the others would read the tokens that are to be predicted. A lane's `targets` are the projections it
   *   adapts (`"q_proj"` … `"down_proj"`, all seven if left out), its `layers` the transformer's layers, its `lr` its own
   *   learning rate; with `modules_to_save` it trains `"embed_tokens"`, `"lm_head"` or both whole, as PEFT does: copies of its own
   *   where the base ties them, kept as changes, `model.embed_tokens.delta` and `lm_head.delta`.
   * @param data Arrays, for `task: { kind: "custom" }`; a model, for `task: { kind: "text", model: "custom" }`; else nothing.
   * @throws if the configuration or the data is not allowed, or `backend: "webgpu"` cannot be had here.
   */
  static create(config: Config, data?: CustomData | TextData): Promise<Lab>;
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
   *
   * A language model's layers are called as in transformers: `"model.layers.0.self_attn.q_proj.lora_A"`,
   * `"model.layers.0.self_attn.q_proj.grad.lora_A"`, `"….gate"`; its output is the logits `[batch, sequence, vocabulary]`.
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
  /**
   * The lane as PEFT's two files, which `Adapter.open` opens: LoRA with its relatives, and VeRA. Of a language model they load
   * with PEFT on transformers' model.
   * @throws for methods that PEFT does not have.
   */
  save(lane: number): Promise<{ adapter: Uint8Array; config: string }>;
  /**
   * A language model's `model.safetensors` with the lane merged into its weights, in F32, to be put beside the base's
   * `config.json`.
   * @throws for mixtures, whose change is another for every gate.
   */
  mergedModel(lane: number): Promise<Uint8Array>;
  /**
   * A mixture merged over all its layers, as plain LoRA in PEFT's two files: with the experts' mean gate (`"mean"`), one for each
   * domain (`"meanPerDomain"`), with each domain's top expert alone (`"topPerDomain"`), or by least squares (`"leastSquares"`); gates and
   * inputs are those of rows that are only looked at, not trained on (of data given as one batch: that batch). `loss` is what the merged lane costs on them (of its domain), `routed` what
   * its gates do: cross-entropy in nats, or squared error as a share of the target's energy. No merge is exact but where gates are the
   * same for all tokens. A language's domains are its languages.
   * @throws for lanes without gates, and for such as train tables whole.
   */
  merges(lane: number, mode: "mean" | "meanPerDomain" | "topPerDomain" | "leastSquares"): Promise<
    { domain: string | null; adapter: Uint8Array; config: string; loss: number; routed: number }[]
  >;
  /**
   * What a text costs a language model: bits of all its tokens together, and of each. The text is cut into passages as long
   * as the run's sequences, each read from its own beginning. Lane −1 is the base alone.
   */
  bits(lane: number, text: string): Promise<{ total: number; perToken: Float32Array }>;
  /**
   * Text that goes on from a prompt, by the lane's parameters as they are now (−1: the base alone), in whole characters.
   * Training goes on meanwhile.
   */
  generate(lane: number, prompt: string, options?: GenerateOptions): AsyncIterable<string>;
  /** Trainable parameters of a lane. */
  parameterCount(lane: number): number;
  /** Release the GPU's memory. The lab cannot be used afterwards. */
  free(): void;
}

/** The configuration document; keys left out take their defaults, unknown ones are refused. */
export type Config = {
  version: 1;
  /** 0 to 4,294,967,295; 1 if left out. */
  seed?: number;
  /** `"auto"`, if left out: WebGPU where it can be had, else the CPU. */
  backend?: "auto" | "webgpu" | "cpu";
  task?: DomainsTask | DigitsTask | SensorsTask | TextTask | { kind: "custom" };
  /** One to eight. */
  lanes: LaneConfig[];
  optimizer?: { lr?: number; beta1?: number; beta2?: number; eps?: number; weight_decay?: number };
  /** Steps until the learning rate is whole, and until it is 0. */
  schedule?: { warmup?: number; total?: number };
};

/** Teacher and student: in each of `depth` linear layers, every domain has a true change of rank `true_rank`. */
export type DomainsTask = {
  kind: "domains";
  dim?: number;
  depth?: number;
  domains?: number;
  true_rank?: number;
  /** All domains read the same input directions. */
  conflict?: boolean;
  spectrum?: "flat" | "harmonic";
  /** Tokens per sequence. */
  sequence?: number;
  /** Domains vary by token instead of by sequence. */
  mixed?: boolean;
  /** Standard deviation of the targets' noise. */
  noise?: number;
  batch?: number;
};

/** Handwritten digits in several drawings of them. */
export type DigitsTask = { kind: "digits"; domains?: ("inverted" | "rotated" | "permuted" | "mirrored" | "shifted")[]; batch?: number; pretrain?: number };

/** Halves of handwritten digits, told by two sensors, either of which may be missing. */
export type SensorsTask = {
  kind: "sensors";
  /** What there is of the images that are trained on. */
  patterns?: ("both" | "left" | "right" | "top" | "bottom" | "noise")[];
  /** Each sensor a token through the same layers, or both inputs of one network. */
  form?: "tokens" | "inputs";
  batch?: number;
  pretrain?: number;
};

/** A language model: the small one that comes with the package, or one of the caller's. */
export type TextTask = {
  kind: "text";
  model?: "small" | "custom";
  /** Codes as in the package's `data/lm/texts.json`; with a custom model, names of its texts. */
  languages?: string[];
  /** Tokens of a passage. */
  sequence?: number;
  batch?: number;
  /** Allow gates that read the tokens that are to be predicted. */
  cheat?: boolean;
};

export type GenerateOptions = {
  /** Tokens to write; 64 if left out. */
  tokens?: number;
  /** Logits are divided by it; 0 takes the most probable token. 1 if left out. */
  temperature?: number;
  /** Only the most probable tokens that have this share together are drawn from. 1 if left out. */
  topP?: number;
  seed?: number;
};

/**
 * Data for `task: { kind: "text", model: "custom" }`: a model of Llama's form (Llama, Qwen2), and what it is trained on, as
 * one batch of tokens (the whole of `x` is every step's batch) or as texts, from which passages are drawn.
 */
export type TextData = {
  model: {
    /** `config.json` as transformers 4 or 5 writes it. */
    config: object;
    /** `model.safetensors`, or all its shards, in F32, F16 or BF16. */
    weights: (Blob | Uint8Array)[];
    /** `tokenizer.json`; without it, tokens are bytes where the vocabulary has 256. */
    tokenizer?: object;
  };
} & (
  | {
      shape: { batch: number; sequence: number };
      /** Tokens `[batch, sequence]`. */
      x: Int32Array;
      /** The token that follows each; −1 for one that is not counted. */
      y: Int32Array;
    }
  | { texts: { train: Record<string, string>; held?: Record<string, string> } }
);

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
