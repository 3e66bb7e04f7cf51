//! What is not put to the test here, and why. Text only.

/// Claims in circulation that no run of this size can confirm or refute: claim, reason.
pub const NOT_REPRODUCIBLE: &[(&str, &str)] = &[
    (
        "“MoLoRA +7.4 % over LoRA”",
        "No source was found. A second-hand reading of the paper (arXiv 2309.05444) gives +5.7 % at 3 billion parameters; neither model nor data fit a browser.",
    ),
    (
        "MoR1E's +2.15 %",
        "Measured on language models of billions of parameters (arXiv 2404.08985). Nothing about a network of three layers says how a benchmark score would move.",
    ),
    (
        "“1.6 % trainable”",
        "A share of trainable parameters belongs to one model and one choice of layers. What can be checked is the formula; see *sizes*.",
    ),
    (
        "“200 KB” per adapter",
        "The size of a file follows from the shapes and the number format; without both the figure says nothing.",
    ),
];

/// Claims that wait for methods which the engine does not have yet: claim, source, what is missing.
pub const WAITING: &[(&str, &str, &str)] = &[
    (
        "More experts in higher layers (triangle 2, 4, 6, 8, or 2, 8, 8, 2) beat the hourglass (8, 2, 2, 8) at equal total",
        "MoLA, arXiv 2402.08562",
        "A number of experts per layer.",
    ),
    (
        "Experts of one bit per weight keep most of what float experts reach",
        "methods, section 1",
        "The forward pass `β·sign(W − mean W)` with a straight-through gradient.",
    ),
    ("MoRA's square matrix stores more than LoRA at equal size", "MoRA, arXiv 2405.12130", "MoRA."),
    ("DoRA learns closer to full fine-tuning than LoRA", "DoRA, arXiv 2402.09353", "DoRA."),
    ("AdaLoRA finds which layers need rank", "AdaLoRA, arXiv 2303.10512", "AdaLoRA."),
    ("A larger rate for B speeds LoRA up", "LoRA+, arXiv 2402.12354", "A learning rate per factor."),
    ("Starting from W0's largest singular directions speeds LoRA up", "PiSSA, arXiv 2404.02948", "PiSSA."),
    (
        "Prototype gates, as in MoR1E's published code, specialise without being trained to",
        "MoR1E, arXiv 2404.08985",
        "`gate: \"prototype\"`.",
    ),
];
