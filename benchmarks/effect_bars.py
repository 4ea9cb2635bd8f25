"""The bars that treatment effects are held to.

Belongs here: the bars. Does not belong here: the table (`bars.py`) and measuring (`effects.py`).
"""

from benchmarks.model_bars import Bar

EFFECT_BARS: tuple[Bar, ...] = (
    (
        "IHDP, 10 realisations: mean sqrt PEHE of the chosen estimator (T-learner 1.48, OLS 2.02)",
        "at most 1.2",
        "effects-only-ihdp",
        lambda f: f["ihdp"]["pehe"],
        "{:.2f}",
        lambda v: v <= 1.2,
    ),
    (
        "experiments without heterogeneity, 200 runs: the constant effect serves",
        "at least 95 %",
        "effects-only-none",
        lambda f: f["none"]["constant"],
        "{:.1%}",
        lambda v: v >= 0.95,
    ),
    (
        "the same: the calibration test rejects",
        "at most 7 %",
        "effects-only-none",
        lambda f: f["none"]["rejected"],
        "{:.1%}",
        lambda v: v <= 0.07,
    ),
    (
        "planted effects, 20 seeds: error as a share of the constant effect's, the worst seed",
        "at most 50 %",
        "effects-only-planted",
        lambda f: f["planted"]["error_ratio"],
        "{:.0%}",
        lambda v: v <= 0.5,
    ),
    (
        "the same: intervals of the five age effects that cover the truth",
        "at least 95 %",
        "effects-only-planted",
        lambda f: f["planted"]["age_coverage"],
        "{:.0%}",
        lambda v: v >= 0.95,
    ),
    (
        "the same: treated by the policy although they are harmed, the worst seed",
        "none",
        "effects-only-planted",
        lambda f: f["planted"]["harmed_treated"],
        "{:.1%}",
        lambda v: v == 0.0,
    ),
    (
        "the same: gain at 20 % of the customers, of the best possible, the worst seed",
        "at least 90 %",
        "effects-only-planted",
        lambda f: f["planted"]["gain"],
        "{:.0%}",
        lambda v: v >= 0.9,
    ),
    (
        "the same: less that at random or by risk, whichever is more, the worst seed",
        "above 0",
        "effects-only-planted",
        lambda f: f["planted"]["lead"],
        "{:.0%}",
        lambda v: v > 0.0,
    ),
    (
        "a confounded campaign: doubly robust intervals that cover less naive ones that do",
        "above 0",
        "effects-only-campaign",
        lambda f: f["campaign"]["doubly_robust"] - f["campaign"]["naive"],
        "{:.0%}",
        lambda v: v > 0.0,
    ),
    (
        "100,000 rows x 49 features: effects by all learners, with intervals",
        "at most 120 s",
        "effects-only-large",
        lambda f: f["large"]["seconds"],
        "{:.0f} s",
        lambda v: v <= 120,
    ),
    (
        "its peak memory",
        "at most 4 GB",
        "effects-only-large",
        lambda f: f["large"]["peak_gib"],
        "{:.2f} GiB",
        lambda v: v <= 4 / 1.0737,
    ),
)
