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

/// Claims that the engine could test and nobody has written an experiment for: claim, source, what is missing.
pub const WAITING: &[(&str, &str, &str)] = &[(
    "Prototype gates, as in MoR1E's published code, specialise without being trained to",
    "MoR1E, arXiv 2404.08985",
    "An experiment. The gate itself is there, `gate: \"prototype\"`.",
)];
