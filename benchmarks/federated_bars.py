"""The bars that federated learning is held to.

Belongs here: the bars. Does not belong here: the table (`bars.py`) and measuring (`federated.py`).
"""

from benchmarks.model_bars import Bar

PART = "federated"
WORDS = ("logistic", "net of 16")

FEDERATED_BARS: tuple[Bar, ...] = (
    (
        "one round of everybody, one step, no noise: away from a central step",
        "at most 1e-6",
        PART,
        lambda f: f["privacy"]["one round"],
        "{:.1e}",
        lambda v: v <= 1e-6,
    ),
    (
        "masked sums with drop-outs up to the threshold: wrong words, and sums opened above it",
        "0",
        PART,
        lambda f: f["privacy"]["masked"] + f["privacy"]["opened"],
        "{:.0f}",
        lambda v: v == 0,
    ),
    (
        "ledger of 100 rounds under epsilon 1, away from the accountants",
        "at most 1 %",
        PART,
        lambda f: 100.0 * f["privacy"]["ledger"],
        "{:.2f} %",
        lambda v: v <= 1,
    ),
    (
        "sigma 1.5, q 0.04, 2,250 steps, delta 1e-5: epsilon (RDP)",
        "7.329",
        PART,
        lambda f: f["privacy"]["vector"],
        "{:.3f}",
        lambda v: abs(v - 7.329) < 0.0005,
    ),
    (
        "canary audit under a claim of epsilon 1: least epsilon it proves",
        "below 1",
        PART,
        lambda f: f["privacy"]["canary epsilon 1"]["epsilon"],
        "{:.2f}",
        lambda v: v < 1,
    ),
    (
        "the same with noise off",
        "above 5",
        PART,
        lambda f: f["privacy"]["canary no noise"]["epsilon"],
        "{:.2f}",
        lambda v: v > 5,
    ),
    *(
        (
            f"{words} under epsilon 1, 100,000 clients: AUC, share of the same trained centrally",
            "at least 95 %",
            PART,
            lambda f, words=words: 100.0 * f["planted"][f"{words} share"],
            "{:.1f} %",
            lambda v: v >= 95,
        )
        for words in WORDS
    ),
    (
        "100 rounds of 100,000 clients, the slower of both",
        "at most 600 s",
        PART,
        lambda f: max(f["planted"][f"{words} epsilon 1.0"]["seconds"] for words in WORDS),
        "{:.0f} s",
        lambda v: v <= 600,
    ),
)
