// Written by tests/config_types.rs from what each method declares of its settings.

/** What a lane may say whatever its method. */
export type AnyLane = {
  /** Layers that it adapts; all if left out. */
  layers?: number[];
  /** Projections of a language model that it adapts; all seven if left out. */
  targets?: ("q_proj" | "k_proj" | "v_proj" | "o_proj" | "gate_proj" | "up_proj" | "down_proj")[];
  /** Tables of a language model that it trains whole, as PEFT does. */
  modules_to_save?: ("embed_tokens" | "lm_head")[];
  /** Its own learning rate, in place of the optimizer's. */
  lr?: number;
};

/** Every weight of the layer trains: ΔW is any matrix. */
export type FullLane = AnyLane & {
  method: "full";
};

/** ΔW = s·B·A, a product of two thin matrices: its rank is at most r. */
export type LoraLane = AnyLane & {
  method: "lora";
  rank?: number;
  /** Strength of the adapter: s = α/r, or α/√r if rank-stabilised. Changing it restarts the run. */
  alpha?: number;
  /** Scale by α/√r in place of α/r, so that large ranks learn as fast as small ones. */
  rslora?: boolean;
  /** Learning rate of B over that of A; 1 is plain LoRA. Changes in mid-training. */
  lr_ratio?: number;
  /** Kaiming: A random, B zero. PiSSA: A and B are the frozen weight's largest singular directions, which are taken out of it. */
  init?: "kaiming" | "pissa";
  /** Entries of A and B in the forward pass: as trained, or one scale per matrix times −1, 0, 1 (ternary) or −1, 1 (binary). Gradients pass straight through. */
  weights?: "float" | "ternary" | "binary";
  /** How experts (for LoRA: ranks) are shared out over the layers, their total kept near what it is. MoLA found more of them in higher layers better. */
  rank_per_layer?: number[];
};

/** Several LoRA experts; a router weighs them anew for every token. */
export type MoloraLane = AnyLane & {
  method: "molora";
  /** Number of LoRA experts in the mixture. Changing it restarts the run. */
  experts?: number;
  rank?: number;
  /** Strength of the adapter: s = α/r. Changing it restarts the run. */
  alpha?: number;
  /** Keep only the k largest gates of a token; 0 keeps all. */
  top_k?: number;
  /** Divide the kept gates by their sum, as MixLoRA and Mixtral do; MoLoRA does not. */
  renormalize?: boolean;
  /** Learning rate of B over that of A; 1 is plain LoRA. Changes in mid-training. */
  lr_ratio?: number;
  /** The router's logits are divided by this: below 1 gates are sharper, above 1 flatter. Changes in mid-training. */
  temperature?: number;
  /** Standard deviation of the noise added to the router's logits while training, so that no expert is forgotten. Changes in mid-training. */
  noise?: number;
  /** Entries of A and B in the forward pass: as trained, or one scale per matrix times −1, 0, 1 (ternary) or −1, 1 (binary). Gradients pass straight through. */
  weights?: "float" | "ternary" | "binary";
  /** How experts (for LoRA: ranks) are shared out over the layers, their total kept near what it is. MoLA found more of them in higher layers better. */
  experts_per_layer?: number[];
  /** How experts (for LoRA: ranks) are shared out over the layers, their total kept near what it is. MoLA found more of them in higher layers better. */
  rank_per_layer?: number[];
  balance?: {
    /** A term added to the loss that evens the use of the experts. Changes in mid-training. */
    kind?: "none" | "entropy" | "switch";
    /** What the balance term is multiplied by before it is added to the loss. Changes in mid-training. */
    coefficient?: number;
  };
};

/** Many experts of rank 1, weighed by a small gate network. */
export type Mor1eLane = AnyLane & {
  method: "mor1e";
  experts?: number;
  /** Strength of the experts: s = α. Changing it restarts the run. */
  alpha?: number;
  /** Width of the gate network; left out, an eighth of the inputs, and at least 4. */
  hidden?: number;
  /** Pooled: one gate per sequence, from its mean. Token: one per token. Prototype: by likeness to the data, and a router. Running: one per token, from the mean of the tokens so far. */
  gate?: "pooled" | "token" | "prototype" | "running";
  /** Weight of Σ cos²(vᵢ, vⱼ) in the loss, which keeps the directions that experts read apart. Changes in mid-training. */
  orthogonality?: number;
  /** Flex: p vectors that read × q that write serve p·q experts, y += β B (Gᵀ A x) with the gate as a p × q matrix G. No: every expert has two of its own. Restarts the run. */
  flex?: number;
  /** How experts (for LoRA: ranks) are shared out over the layers, their total kept near what it is. MoLA found more of them in higher layers better. */
  experts_per_layer?: number[];
  balance?: {
    /** A term added to the loss that evens the use of the experts. Changes in mid-training. */
    kind?: "none" | "entropy" | "switch";
    /** What the balance term is multiplied by before it is added to the loss. Changes in mid-training. */
    coefficient?: number;
  };
};

/** LoRA for the direction of every row of the weight; their lengths train apart. */
export type DoraLane = AnyLane & {
  method: "dora";
  rank?: number;
  /** Strength of the adapter: s = α/r. Changing it restarts the run. */
  alpha?: number;
};

/** One square matrix with as many parameters as LoRA of that rank, so that ΔW can have a higher one. */
export type MoraLane = AnyLane & {
  method: "mora";
  rank?: number;
};

/** P·Λ·Q whose singular values are pruned by importance while training, over all layers together. */
export type AdaloraLane = AnyLane & {
  method: "adalora";
  rank?: number;
  /** Strength of the adapter: s = α/r. Changing it restarts the run. */
  alpha?: number;
  /** Directions kept at the end, on average per layer; the least important are dropped on the way. Half of the rank if left out. */
  target_rank?: number;
  /** The budget of directions begins to fall at this step. */
  budget_begin?: number;
  /** The budget of directions falls from step 100 on and is down at this step. */
  budget_end?: number;
};

/** LoRA whose steps train the first few directions only, so that it works at every smaller rank. */
export type DyloraLane = AnyLane & {
  method: "dylora";
  rank?: number;
  /** Strength of the adapter: s = α/r. Changing it restarts the run. */
  alpha?: number;
};

/** Random factors, frozen and the same for all layers; only a vector behind each of them trains. */
export type VeraLane = AnyLane & {
  method: "vera";
  rank?: number;
  /** What every entry of λ_d begins at. Changing it restarts the run. */
  d_initial?: number;
};

export type LaneConfig = FullLane | LoraLane | MoloraLane | Mor1eLane | DoraLane | MoraLane | AdaloraLane | DyloraLane | VeraLane;
