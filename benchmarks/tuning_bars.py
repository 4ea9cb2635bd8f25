"""The bars that tuning is held to.

Belongs here: the bars. Does not belong here: the table (`bars.py`) and measuring (`tuning.py`).
"""

from benchmarks.model_bars import Bar

CHANCE, KILL = (f"tuning-part-{name}" for name in ("chance", "kill"))
LARGE = "tuning-part-large-minutes-5-threads-1"
PLANTED = "tuning-part-planted-minutes-3-threads-1"
PUBLIC = "tuning-part-public-minutes-2-threads-1"

TUNING_BARS: tuple[Bar, ...] = (
    (
        "50 identical configurations with other seeds: worlds of 100 with a deployment",
        "at most 1",
        CHANCE,
        lambda f: 100.0 * f["chance"]["deployed"] / f["chance"]["runs"],
        "{:.0f}",
        lambda v: v <= 1,
    ),
    (
        "planted R2 after 3 minutes of one core, share of the best possible, least of 10 worlds",
        "at least 97 %",
        PLANTED,
        lambda f: 100.0 * f["planted"]["least_share"],
        "{:.1f} %",
        lambda v: v >= 97,
    ),
    (
        "planted R2 above the better of the default learners, least of 10 worlds",
        "at least 0",
        PLANTED,
        lambda f: f["planted"]["least_lead"],
        "{:.4f}",
        lambda v: v >= 0,
    ),
    *(
        (
            f"{name}, mean AUC of ten outer folds, 2 minutes of one core each",
            f"at least {least}",
            PUBLIC,
            lambda f, name=name: f["public"][name]["auc"],
            "{:.4f}",
            lambda v, least=least: v >= least,
        )
        for name, least in (("phoneme", 0.962), ("credit_g", 0.785))
    ),
    (
        "a search that was killed three times: the same trials and the same model",
        "yes",
        KILL,
        lambda f: float(f["kill"]["same"]),
        "{:.0f}",
        lambda v: v == 1,
    ),
    (
        "tuning over 100,000 customers, 5 minutes of search on one core, and the fit",
        "at most 1,800 s",
        LARGE,
        lambda f: f["large"]["seconds"],
        "{:.0f} s",
        lambda v: v <= 1_800,
    ),
)
