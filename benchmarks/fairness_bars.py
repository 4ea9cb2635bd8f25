"""The bars that mitigations of unfairness are held to.

Belongs here: the bars. Does not belong here: the table (`bars.py`) and measuring
(`fairness_mitigation.py`).
"""

from benchmarks.model_bars import Bar

PART = "fairness_mitigation"

FAIRNESS_BARS: tuple[Bar, ...] = (
    (
        "scores too low for two groups, thresholds fitted on other people: ratio of selection",
        "at least 0.8",
        PART,
        lambda f: f["planted"]["parity"]["ratio"],
        "{:.2f}",
        lambda v: v >= 0.8,
    ),
    (
        "the same: change of the share selected",
        "at most 1 point",
        PART,
        lambda f: (
            100 * abs(f["planted"]["parity"]["selected"] - f["planted"]["nothing"]["selected"])
        ),
        "{:.2f} points",
        lambda v: v <= 1.0,
    ),
    (
        "the same, equalised odds: the widest gap of error rates",
        "at most 0.1",
        PART,
        lambda f: f["planted"]["odds"]["odds"],
        "{:.2f}",
        lambda v: v <= 0.1,
    ),
    (
        "a harm whose groups are alike: reports that fail",
        "at most 5 %",
        PART,
        lambda f: f["alike"]["refused"],
        "{:.1%}",
        lambda v: v <= 0.05,
    ),
    (
        "credit_g, refusal by sex and age, other people: ratio of selection",
        "at least 0.8",
        PART,
        lambda f: f["credit"]["thresholds"]["parity"]["ratio"],
        "{:.2f}",
        lambda v: v >= 0.8,
    ),
    (
        "the same: balanced accuracy lost",
        "at most 0.03",
        PART,
        lambda f: (
            f["credit"]["thresholds"]["nothing"]["balanced_accuracy"]
            - f["credit"]["thresholds"]["parity"]["balanced_accuracy"]
        ),
        "{:.3f}",
        lambda v: v <= 0.03,
    ),
    (
        "lists that hide a third of the authors, other readers: their exposure beside the others'",
        "at least 0.8",
        PART,
        lambda f: f["exposure"]["exposure"]["exposure"],
        "{:.2f}",
        lambda v: v >= 0.8,
    ),
)
