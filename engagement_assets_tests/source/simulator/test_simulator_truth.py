"""What the world knows of its customers is what the rows show."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.metrics import roc_auc_score

from engagement_assets.source.simulator import Simulator
from engagement_assets.source.simulator.parameters import (
    EFFECT_BY_AGE,
    PERSONA_SHARES,
    PERSONAS,
)
from engagement_assets.source.simulator.vocabulary import PREDICATES
from engagement_assets_tests.source.simulator.conftest import at, make

SNAPSHOT = 340


@dataclass(frozen=True)
class Season:
    """Two months of a world, a snapshot in their middle."""

    world: Simulator
    days: dict[int, dict[str, pa.Table]]

    def rows(self, name: str) -> pd.DataFrame:
        return pa.concat_tables([day[name] for day in self.days.values()]).to_pandas()


@pytest.fixture(scope="module")
def season() -> Season:
    world = make(customers=3000, seed=11, days=400)
    numbers = range(SNAPSHOT - 29, SNAPSHOT + 32)
    return Season(world, {number: world.day(at(number)) for number in numbers})


@pytest.fixture(scope="module")
def churn(season: Season) -> pd.DataFrame:
    """True probability and outcome of the customers active in the month to the snapshot."""
    sessions = season.rows("sessions")
    day = (sessions["occurred_at"] - pd.Timestamp(at(0))).dt.days
    active = sessions.loc[day <= SNAPSHOT, "customer_id"].unique()
    back = sessions.loc[day.between(SNAPSHOT + 1, SNAPSHOT + 30), "customer_id"].unique()
    truth = season.world.truth_churn(at(SNAPSHOT)).to_pandas().set_index("customer_id")
    chosen = truth.loc[active].copy()
    chosen["churned"] = ~chosen.index.isin(back)
    return chosen


def test_churn_probabilities_are_calibrated(churn: pd.DataFrame):
    expected, happened = churn["churn_probability"], churn["churned"]
    spread = np.sqrt((expected * (1 - expected)).sum())
    assert abs(happened.sum() - expected.sum()) < 3.5 * spread
    for low, high in ((0.0, 0.05), (0.05, 0.3), (0.3, 1.0)):
        part = expected.between(low, high, inclusive="left")
        spread = np.sqrt((expected * (1 - expected))[part].sum())
        assert abs(happened[part].sum() - expected[part].sum()) < 3.5 * spread + 2


def test_churn_is_as_hard_to_foresee_as_it_should_be(churn: pd.DataFrame):
    assert 0.08 < churn["churned"].mean() < 0.20
    assert 0.91 < roc_auc_score(churn["churned"], churn["churn_probability"]) < 0.975


def test_churn_is_told_of_all_customers_signed_up(season: Season):
    truth = season.world.truth_churn(at(SNAPSHOT))
    known = season.world.truth_customers(at(SNAPSHOT))
    assert truth["customer_id"] == known["customer_id"]
    chance = truth["churn_probability"].to_numpy()
    assert chance.min() >= 0
    assert chance.max() <= 1


def test_days_without_use_come_before_churn(season: Season, churn: pd.DataFrame):
    sessions = season.rows("sessions")
    before = sessions[sessions["occurred_at"] < pd.Timestamp(at(SNAPSHOT + 1))]
    last = before.groupby("customer_id")["occurred_at"].max()
    idle = (pd.Timestamp(at(SNAPSHOT + 1)) - last.loc[churn.index]).dt.total_seconds()
    assert roc_auc_score(churn["churned"], idle) > 0.8


def test_personas_have_their_shares():
    customers = make(customers=4000).truth_customers().to_pandas()
    shares = customers["persona"].value_counts(normalize=True).reindex(PERSONAS)
    assert np.abs(shares.to_numpy() - PERSONA_SHARES).max() < 0.03
    assert 0.002 < customers["is_bot"].mean() + customers["is_fraud"].mean() < 0.02


def test_bots_never_scroll_and_are_the_guilty_of_reviews(season: Season):
    causes = season.world.truth_customers().to_pandas().set_index("customer_id")
    sessions = season.rows("sessions")
    bot = sessions["customer_id"].map(causes["is_bot"])
    assert bot.any()
    assert (sessions.loc[bot, "scroll_depth"] == 0).all()
    assert (sessions.loc[~bot, "scroll_depth"] > 0).all()
    reviews = season.rows("reviews")
    guilty = reviews["customer_id"].map(causes["is_bot"] | causes["is_fraud"])
    assert (guilty == reviews["confirmed_fraud"]).all()


def test_degrees_have_a_heavy_tail_and_edges_stay_in_communities():
    world = make(customers=4000, days=1)
    edges = world.day(at(0))["connections"].to_pandas()
    causes = world.truth_customers().to_pandas().set_index("customer_id")
    degree = pd.concat([edges["customer_id"], edges["other_customer_id"]]).value_counts()
    assert degree.max() > 8 * degree.mean()
    # Hill's estimator of the exponent of the tail.
    tail = degree[degree >= degree.quantile(0.9)]
    exponent = 1 + 1 / np.log(tail / (tail.min() - 0.5)).mean()
    assert 1.8 < exponent < 4.5
    community = [edges[column].map(causes["community"]) for column in edges.columns[:2]]
    assert 0.6 < (community[0] == community[1]).mean() < 0.98


def engagement(season: Season, numbers: range) -> pd.DataFrame:
    """Daily engagement by customer (rows) and day (columns), from the rows of the tables."""
    total: pd.Series | None = None
    for name in ("sessions", "interactions", "messages", "posts", "event_joins"):
        rows = season.rows(name)
        day = (rows["occurred_at"] - pd.Timestamp(at(0))).dt.days
        weight = rows["duration_seconds"] / 60 / 30 if name == "sessions" else 0.1
        part = rows.assign(weight=weight).groupby(["customer_id", day])["weight"].sum()
        total = part if total is None else total.add(part, fill_value=0)
    causes = season.world.truth_customers(at(numbers[0]))["customer_id"].to_pylist()
    wide = total.unstack(fill_value=0).reindex(index=causes, columns=numbers, fill_value=0)
    return 1 - np.exp(-wide.fillna(0))


def test_daily_engagement_is_what_was_expected(season: Season):
    numbers = range(SNAPSHOT, SNAPSHOT + 10)
    real = engagement(season, numbers)
    for column in ("persona", "experiment_variant"):
        causes = season.world.truth_customers(at(numbers[0])).to_pandas()
        group = causes.set_index("customer_id")[column]
        for number in numbers:
            truth = season.world.truth_engagement(at(number)).to_pandas().set_index("customer_id")
            gap = (real[number] - truth["expected_engagement"].reindex(real.index)).groupby(group)
            close = gap.mean().abs() < 4.5 * gap.std() / np.sqrt(gap.size()) + 0.005
            assert close[gap.size() > 30].all(), column


def test_the_treatment_adds_its_effect_to_engagement(season: Season):
    causes = season.world.truth_customers(at(SNAPSHOT)).to_pandas().set_index("customer_id")
    truth = season.world.truth_engagement(at(SNAPSHOT)).to_pandas().set_index("customer_id")
    added = truth["treated_engagement"] - truth["control_engagement"]
    stays = causes["leaving_from"].isna() & ~causes["is_bot"]
    at_home = added[stays] > 0.5 * causes.loc[stays, "nominal_effect"]
    assert at_home.mean() > 0.9
    for effect in EFFECT_BY_AGE:
        part = stays & (causes["nominal_effect"] == effect)
        assert added[part].median() == pytest.approx(effect, abs=1e-6)
    treated = causes["experiment_variant"] == "treatment"
    control = causes["experiment_variant"] == "control"
    assert np.allclose(truth["expected_engagement"][control], truth["control_engagement"][control])
    assert np.allclose(truth["expected_engagement"][treated], truth["treated_engagement"][treated])
    assert 0.4 < treated.sum() / (treated.sum() + control.sum()) < 0.6


def test_the_effect_shows_in_the_rows(season: Season):
    numbers = range(SNAPSHOT - 20, SNAPSHOT + 20)
    real = engagement(season, numbers).mean(axis=1)
    causes = season.world.truth_customers(at(SNAPSHOT)).to_pandas().set_index("customer_id")
    # Use left once both have had equal chances to leave is compared, so dilution is no bias.
    causes["real"] = real.reindex(causes.index)
    young = causes[causes["nominal_effect"] >= 0.15].groupby("experiment_variant")["real"].mean()
    old = causes[causes["nominal_effect"] <= 0.02].groupby("experiment_variant")["real"].mean()
    assert young["treatment"] - young["control"] > 0.05
    assert young["treatment"] - young["control"] > old["treatment"] - old["control"]


def test_words_follow_discontent():
    world = make(customers=4000, seed=4, days=400)
    days = [world.day(at(number)) for number in range(200, 210)]
    posts = pa.concat_tables([day["posts"] for day in days]).to_pandas()
    negative, _, positive = (set(group) for group in PREDICATES)

    def tone(text: str) -> int:
        return sum(word in text for word in positive) - sum(word in text for word in negative)

    posts["tone"] = posts["text"].map(tone)
    causes = world.truth_customers(at(210)).to_pandas().set_index("customer_id")
    by_persona = posts["tone"].groupby(posts["customer_id"].map(causes["persona"])).mean()
    assert by_persona["at_risk"] < by_persona["social_butterfly"] - 0.2
    # Those about to leave are discontent, and it shows in what they write.
    later = world.truth_customers(at(240)).to_pandas().set_index("customer_id")
    soon = posts["customer_id"].map(later["leaving_from"]).notna()
    assert posts.loc[soon, "tone"].mean() < posts.loc[~soon, "tone"].mean()
    assert posts["text"].nunique() > 0.97 * len(posts)


def test_replies_come_later_to_those_who_are_about_to_leave(season: Season):
    messages = season.rows("messages")
    causes = season.world.truth_customers(at(SNAPSHOT + 60)).to_pandas().set_index("customer_id")
    left = messages["customer_id"].map(causes["leaving_from"]) - messages["occurred_at"]
    soon = left.between(pd.Timedelta(0), pd.Timedelta(days=10))
    hours = (messages["replied_at"] - messages["occurred_at"]).dt.total_seconds() / 3600
    assert hours[soon].median() > 1.15 * hours[left.isna()].median()


def test_logged_propensities_are_the_shares_with_which_actions_were_taken(season: Season):
    log = season.rows("action_log")
    assert log["propensity"].between(0, 1, inclusive="neither").all()
    # The mean of 1/propensity over the taken actions is the number of actions.
    weights = 1 / log["propensity"]
    actions = log["action"].nunique()
    assert weights.mean() == pytest.approx(actions, abs=5 * weights.std() / np.sqrt(len(log)))
    assert 0.2 < log["completed"].mean() < 0.7


def test_notifications_are_opened_at_the_hours_of_use(season: Season):
    causes = season.world.truth_customers().to_pandas().set_index("customer_id")
    sent = season.rows("notifications")
    habit = sent["customer_id"].map(causes["hour_habit"])
    opened = sent["opened_at"].notna()
    offset = sent["customer_id"].map(causes["utc_offset_hours"])
    hour = (sent["occurred_at"].dt.hour + offset) % 24
    evening = hour.between(18, 22)
    people = habit == "evening"
    assert opened[people & evening].mean() > opened[people & hour.between(2, 8)].mean() + 0.05


def test_a_minority_pays_and_a_few_pay_most(season: Season):
    paid = season.rows("transactions")
    by_customer = paid[paid["amount_usd"] > 0].groupby("customer_id")["amount_usd"].sum()
    active = season.rows("sessions")["customer_id"].nunique()
    assert 0.05 < len(by_customer) / active < 0.35
    top = by_customer.sort_values().tail(len(by_customer) // 5).sum()
    assert top > 0.45 * by_customer.sum()


def test_friends_share_tastes_so_that_a_taste_can_be_learnt(season: Season):
    """Customers view the category they favour more than others do."""
    causes = season.world.truth_customers().to_pandas().set_index("customer_id")
    posts = season.rows("posts").set_index("post_id")["category"]
    seen = season.rows("interactions")
    category = seen["post_id"].map(posts)
    favourite = seen["customer_id"].map(causes["favourite_category"])
    known = category.notna()
    hit = (category == favourite)[known].mean()
    chance = sum(
        (category[known] == name).mean() * (favourite[known] == name).mean()
        for name in posts.unique()
    )
    assert hit > 1.5 * chance


def test_engagement_to_come_is_what_was_expected(season: Season):
    ahead = range(SNAPSHOT + 1, SNAPSHOT + 8)
    truth = season.world.truth_future_engagement(at(SNAPSHOT)).to_pandas()
    expected = truth.set_index("customer_id")["expected_engagement"]
    real = engagement(season, ahead).mean(axis=1).reindex(expected.index)
    assert 1 - ((real - expected) ** 2).sum() / ((real - real.mean()) ** 2).sum() > 0.85
    for low, high in ((0.0, 0.05), (0.05, 0.4), (0.4, 1.0)):
        gap = (real - expected)[expected.between(low, high, inclusive="left")]
        assert abs(gap.mean()) < 4 * gap.std() / np.sqrt(len(gap)) + 0.002


def test_revenue_to_come_is_what_was_expected(season: Season):
    days = 30
    paid = season.rows("transactions")
    number = (paid["occurred_at"] - pd.Timestamp(at(0))).dt.days
    paid = paid[number.between(SNAPSHOT + 1, SNAPSHOT + days)]
    truth = season.world.truth_future_revenue(at(SNAPSHOT), days=days).to_pandas()
    truth["real"] = (
        truth["customer_id"].map(paid.groupby("customer_id")["amount_usd"].sum()).fillna(0.0)
    )
    causes = season.world.truth_customers(at(SNAPSHOT))["is_fraud"].to_numpy()
    truth = truth[~causes]  # what cheats pay is known approximately alone
    gap = truth["real"] - truth["expected_revenue_usd"]
    assert abs(gap.mean()) < 4 * gap.std() / np.sqrt(len(gap))
    idle = truth["expected_revenue_usd"] < 0.05
    assert truth.loc[idle, "real"].mean() < 0.1
    most = truth["expected_revenue_usd"] > truth["expected_revenue_usd"].quantile(0.95)
    part = truth[most]
    spread = (part["real"] - part["expected_revenue_usd"]).std() / np.sqrt(len(part))
    assert abs(part["real"].mean() - part["expected_revenue_usd"].mean()) < 4 * spread
    assert part["real"].sum() > 0.6 * truth["real"].sum()
