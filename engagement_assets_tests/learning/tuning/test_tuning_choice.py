"""What is chosen of scored configurations, and whether it may replace what serves."""

import numpy as np
import pandas as pd
import pytest

from engagement_assets.learning.tuning.choice import (
    Candidate,
    candidates,
    choose,
    unfairness_of,
)
from engagement_assets.learning.tuning.command import main
from engagement_assets.learning.tuning.gate import challenge
from engagement_assets.learning.tuning.problem import problem_of
from engagement_assets.learning.tuning.search import Scored

N = 2000
RNG = np.random.default_rng(1)
TRUTH = RNG.normal(size=N)
PROBLEM = problem_of(pd.DataFrame({"x": TRUTH}), TRUTH, kind="number")


def scored(name: str, margin: np.ndarray) -> Scored:
    loss = float(PROBLEM.losses(margin).mean())
    return Scored(name=name, family="net", parameters={}, margin=margin, loss=loss)


def test_the_ensemble_is_better_than_its_members_where_their_errors_differ():
    noisy = [scored(str(i), TRUTH + RNG.normal(size=N)) for i in range(4)]
    useless = scored("useless", RNG.normal(size=N) * 3)
    made = candidates(PROBLEM, sorted([*noisy, useless], key=lambda one: one.loss))
    assert made[0].name == "ensemble"
    assert made[0].loss == pytest.approx(0.25, rel=0.2)
    assert made[0].weights.get(4, 0.0) < 0.06
    assert sum(made[0].weights.values()) == pytest.approx(1.0)


def test_the_fairest_of_the_good_is_chosen_by_the_stated_rule():
    def of(name, loss, unfairness):
        return Candidate(name=name, weights={0: 1.0}, loss=loss, unfairness=unfairness)

    best, fair, fairer = of("best", 1.0, 0.5), of("fair", 1.1, 0.15), of("fairer", 1.2, 0.05)
    assert choose([best, fair, fairer]).name == "fair"
    assert choose([best, of("less unfair", 1.1, 0.4)]).name == "less unfair"
    assert choose([best]).name == "best"


def test_a_candidate_that_is_beaten_in_both_is_not_on_the_front():
    groups = pd.DataFrame({"g": np.where(np.arange(N) % 2 == 0, "a", "b")})
    unfairness = unfairness_of(PROBLEM, groups, least_group=100)
    low = (groups["g"] == "a").to_numpy() * 0.8
    good = scored("good", TRUTH + 0.1 * RNG.normal(size=N))
    unfair = scored("unfair", TRUTH - low)
    made = {one.name: one for one in candidates(PROBLEM, [good, unfair], unfairness=unfairness)}
    assert made["unfair"].unfairness > 0.5
    assert made["good"].unfairness < 0.2
    assert made["good"].on_front
    assert not made["unfair"].on_front


def test_a_challenger_needs_a_twentieth_less_loss_beyond_chance():
    before = RNG.gamma(2.0, size=N)
    assert challenge(before, 0.9 * before).passes
    assert not challenge(before, 0.97 * before).passes
    few = slice(0, 12)
    chance = challenge(before[few], np.where(np.arange(12) == 0, 0.0, before[few] * 1.0))
    assert not chance.reduction.low > 0.0
    assert not challenge(before, RNG.permutation(before)).passes
    with pytest.raises(ValueError, match="losses"):
        challenge(before, before[1:])


def test_the_command_tunes_any_table_and_reports_on_rows_set_aside(tmp_path, capsys):
    n = 300
    table = pd.DataFrame({"who": np.arange(n) // 2, "x": RNG.normal(size=n), "empty": None})
    table["bought"] = np.where(table["x"] + 0.3 * RNG.normal(size=n) > 0, "yes", "no")
    table["site"] = np.where(np.arange(n) % 2 == 0, "a", "b")
    path = tmp_path / "sales.csv"
    table.to_csv(path, index=False)
    words = [str(path), "--target", "bought", "--group", "who", "--sensitive", "site"]
    words += ["--trials", "2", "--learners", "lightgbm", "--threads", "1"]
    assert main([*words, "--positive", "maybe"]) == 2
    assert "two classes with 'maybe'" in capsys.readouterr().err
    assert main(words) == 2
    assert main([*words, "--positive", "yes"]) == 0
    report = (tmp_path / "sales.tuned" / "report.md").read_text()
    assert "off the loss of LightGBM's defaults" in report
    assert "| auc |" in report
    assert (tmp_path / "sales.tuned" / "model" / "tuned.json").exists()
    assert main([str(path), "--target", "nothing"]) == 2
    assert "has no columns ['nothing']" in capsys.readouterr().err
