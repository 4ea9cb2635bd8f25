"""The overview says of every model whether the rule holds, or why nothing can be said."""

from engagement_assets.governance.fairness import fairness_overview


def report(*, passes=True, judged=True, failures=(), notes=()):
    told = {"passes": passes, "judged": judged, "failures": [*failures], "notes": [*notes]}
    return {"report": told, "model_version": "abc", "mitigation": None}


def test_each_model_has_its_verdict_and_what_fails():
    figures, text = fairness_overview(
        {
            "churn": report(),
            "engagement": report(passes=False, failures=["gender=b: 0.5 of the highest"]),
            "anomaly": report(judged=False, notes=["there is no gender column"]),
            "lifetime_value": {"not_trained": "the data begin too late", "model_version": None},
        }
    )
    verdicts = {name: told["verdict"] for name, told in figures["models"].items()}
    assert verdicts == {
        "churn": "holds",
        "engagement": "fails",
        "anomaly": "not judged",
        "lifetime_value": "not trained",
    }
    for part in ("gender=b: 0.5", "anomaly: there is no gender column", "the data begin too late"):
        assert part in text


def test_an_unjudged_model_does_not_count_as_fair():
    figures, _ = fairness_overview({"anomaly": report(judged=False)})
    assert figures["models"]["anomaly"]["passes"] is None
