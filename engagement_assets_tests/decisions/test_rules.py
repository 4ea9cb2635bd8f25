"""Each rule chooses what it declares; of one customer alone what it chose among all."""

import numpy as np
import pandas as pd
import pytest

from engagement_assets.decisions.acquisition.policy import channels_that_pay
from engagement_assets.decisions.highest import Highest
from engagement_assets.decisions.retention.policy import band_of
from engagement_assets.decisions.specs import DECISIONS, REVIEW, actions_due
from engagement_assets.decisions.targeting.policy import LastTreated
from engagement_assets.decisions.targeting.spec import SPEC as TARGETING
from engagement_assets.lifecycle.decision import RulePolicy, UnknownActionError
from engagement_assets.lifecycle.predictor import Context
from engagement_assets.lifecycle.spec import NO_ACTION, Action, DecisionSpec
from engagement_assets.models.segments.personas import PERSONAS

COSTS = {"channel_cac": {"search": 9.0, "ads": 30.0}}


def day(n=200, seed=3):
    """Predictions of n customers."""
    rng = np.random.default_rng(seed)
    names = [f"c{i:03d}" for i in range(n)]
    money = rng.exponential(20.0, n)
    score = rng.random(n)
    # effects of one decimal, so that a lot decides among some of the last
    effect = np.round(rng.normal(0.05, 0.1, n), 1)
    return {
        "churn": pd.DataFrame({"customer_id": names, "churn_probability": rng.random(n)}),
        "engagement": pd.DataFrame(
            {"customer_id": names[5:], "engagement_score": rng.random(n - 5)}
        ),
        "lifetime_value": pd.DataFrame(
            {
                "customer_id": names,
                "future_revenue_usd": money,
                "lifetime_value_usd": money + 5.0,
            }
        ),
        "anomaly": pd.DataFrame(
            {
                "customer_id": names,
                "anomaly_score": score,
                "kind": np.where(score > 0.9, "unusual", None),
            }
        ),
        "treatment_effects": pd.DataFrame(
            {
                "customer_id": names,
                "effect": effect,
                "harmed_group": np.where(np.arange(n) % 10 == 0, "age_band 55+", None),
                "origin": "from an experiment",
            }
        ),
        "segments": pd.DataFrame(
            {
                "customer_id": names,
                "segment": "a name",
                "kind": [[*PERSONAS, None][place % 7] for place in range(n)],
            }
        ),
    }


# those that decide from what models predict; a learnt decision's rule looks at contexts
RULES = [spec for spec in DECISIONS if not spec.learnt]


def rule(spec):
    return spec.rule()(COSTS)


def choose(spec, tables, reference=None):
    return rule(spec)(pd.DataFrame(), Context(tables, reference)).table


@pytest.mark.parametrize("spec", RULES, ids=lambda spec: spec.name)
def test_every_customer_who_is_judged_has_one_declared_choice_with_propensity_1(spec):
    table = choose(spec, day())
    assert table["customer_id"].is_unique
    assert len(table) == 200
    assert set(table["action"]) == {action.name for action in spec.actions}
    assert (table["propensity"] == 1.0).all()
    assert table["reason"].notna().all()
    assert {column.name for column in spec.columns} <= set(table)


@pytest.mark.parametrize("spec", RULES, ids=lambda spec: spec.name)
def test_one_customer_alone_gets_the_choice_made_among_all(spec):
    tables = day()
    whole = choose(spec, tables).set_index("customer_id")
    content = spec.rule().reference(Context(tables))
    reference = None if content is None else spec.rule().read_reference(content)
    for name in whole.index:
        alone = {key: table[table["customer_id"] == name] for key, table in tables.items()}
        one = choose(spec, alone, reference).set_index("customer_id")
        pd.testing.assert_frame_equal(one, whole.loc[[name]])


@pytest.mark.parametrize("spec", RULES, ids=lambda spec: spec.name)
def test_nobody_is_judged_where_nothing_is_predicted(spec):
    assert choose(spec, {}).empty
    assert choose(spec, {name: table.head(0) for name, table in day().items()}).empty


def test_another_parameter_is_another_version():
    acquisition = next(spec for spec in RULES if spec.parameters)
    cheaper = acquisition.rule()({"channel_cac": {"search": 1.0}})
    assert cheaper.version != rule(acquisition).version == rule(acquisition).version


def test_a_choice_that_is_not_declared_is_refused():
    spec = DecisionSpec(
        name="other",
        subject="other",
        code_version="1",
        baseline="",
        actions=(Action(name="known"), NO_ACTION),
        listens_to=("churn",),
        predicts_from=("churn/predictions",),
        columns=(),
        texts={},
        purpose="",
        limits=(),
    )

    class Wrong(RulePolicy):
        def choose(self, context):
            return context.predictions["churn"].assign(action="unknown", reason="")

    Wrong.spec = spec
    with pytest.raises(UnknownActionError):
        Wrong({})(pd.DataFrame(), Context(day()))


@pytest.mark.parametrize(
    ("probability", "band", "action"),
    [
        (0.0, "low", "none"),
        (0.5, "low", "none"),
        (np.nextafter(0.5, 1), "medium", "in-app nudge"),
        (0.7, "medium", "in-app nudge"),
        (np.nextafter(0.7, 1), "high", "retention e-mail with 20 % discount"),
        (1.0, "high", "retention e-mail with 20 % discount"),
    ],
)
def test_a_band_begins_above_its_limit(probability, band, action):
    bands, actions = band_of([probability])
    assert (bands[0], actions[0]) == (band, action)


def test_a_customer_is_worth_winning_under_a_third_of_their_value():
    table = channels_that_pay([100.0, 0.0], cac_usd={"search": 32.9, "ads": 33.0})
    assert table["max_cac_usd"].tolist() == pytest.approx([33.0, 0.0])
    assert table["acquire_channels"].tolist() == ["search", ""]
    with pytest.raises(ValueError, match="channel 'TV ads'"):
        channels_that_pay([1.0], cac_usd={"TV ads": 1.0})
    with pytest.raises(ValueError, match="CAC of tv must be 0 or more"):
        channels_that_pay([1.0], cac_usd={"tv": -1.0})


def test_a_tenth_are_highest_and_nobody_worth_nothing_is():
    def highest(values):
        return Highest.of(values, share=0.1)(values)

    assert highest(np.arange(100.0)).sum() == 10
    assert highest(np.r_[np.zeros(95), np.ones(5)]).sum() == 5
    assert highest(np.zeros(7)).sum() == 0
    assert highest([]).tolist() == []


def test_the_valuable_who_use_little_are_called_first():
    names = [str(i) for i in range(100)]
    future = np.r_[np.zeros(80), np.full(20, 50.0)]
    use = np.r_[np.zeros(80), np.full(10, 0.1), np.full(10, 0.9)]
    call = next(spec for spec in DECISIONS if spec.name == "retention_call")

    def called(scores):
        table = choose(
            call,
            {
                "lifetime_value": pd.DataFrame(
                    {"customer_id": names, "future_revenue_usd": future}
                ),
                "engagement": pd.DataFrame({"customer_id": names, "engagement_score": scores}),
            },
        )
        return np.flatnonzero(table["retention_priority"])

    assert called(use).tolist() == list(range(80, 90))
    assert 85 not in called(np.where(np.arange(100) == 85, np.nan, use))


def test_actions_due_are_those_of_decisions_that_say_so():
    choices = {spec.name: {"action": spec.actions[0].name} for spec in DECISIONS}
    assert actions_due(choices) == [
        "retention e-mail with 20 % discount",
        "retention call (high value, low engagement)",
        "human review",
    ]
    assert actions_due(dict.fromkeys(choices)) == []


def test_a_score_over_the_mark_and_a_value_that_cannot_be_are_reviewed_alone():
    anomaly = pd.DataFrame(
        {
            "customer_id": ["over", "at", "error", "usual"],
            "anomaly_score": [0.91, 0.9, 0.1, 0.2],
            "kind": ["unusual", None, "data_error", None],
        }
    )
    table = choose(REVIEW, {"anomaly": anomaly}).set_index("customer_id")
    assert table["needs_review"].to_dict() == {
        "over": True, "at": False, "error": True, "usual": False,
    }  # fmt: skip
    assert (table["action"] == "human review").equals(table["needs_review"])


def test_targeting_spends_its_budget_on_the_highest_effects_without_who_is_harmed():
    effects = day()["treatment_effects"]
    last = LastTreated.of(effects, budget_usd=45.0, cost_usd=3.0)
    treated = last(effects)
    may = (effects["effect"] > 0.0) & effects["harmed_group"].isna()
    assert treated.sum() == 15
    assert may[treated].all()
    assert effects["effect"][treated].min() >= effects["effect"][may & ~treated].max()
    assert not LastTreated.of(effects, budget_usd=2.0, cost_usd=3.0)(effects).any()
    everybody = LastTreated.of(effects, budget_usd=1e6, cost_usd=3.0)(effects)
    assert (everybody == may).all()
    reasons = choose(TARGETING, day()).set_index("customer_id")["reason"]
    assert "harmed" in reasons["c000"]
    assert reasons.str.contains("from an experiment").all()
