"""A correction is adopted where the base models missed something, or stands aside."""

import numpy as np
import pytest

from engagement_assets.learning.stacking.estimator import Target
from engagement_assets.models.ensemble.training import TargetRows, train_ensemble
from engagement_assets_tests.learning.stacking.people import (
    base,
    knows_by_heart,
    knows_one_cause,
    people,
)

CHURN = Target("refined", "base", "left", "binary:logistic", "nats")


def test_a_planted_leak_is_not_adopted_though_in_sample_it_looks_perfect():
    rows, test = people(800, seed=1, hidden=0), people(400, seed=2, prefix="t", hidden=0)
    made = train_ensemble(
        {"refined": TargetRows(CHURN, rows, test)},
        base(rows, knows_by_heart),
        features=["missed"],
        n_bootstrap=50,
        random_state=0,
        n_jobs=1,
    )
    told = made.card["targets"]["refined"]
    assert not told["adopted"]
    # honest inputs: nobody outside is told more than a coin knows
    assert told["refined_loss"]["value"] == pytest.approx(np.log(2), abs=0.03)


def test_what_the_base_model_missed_is_learnt_and_adopted():
    rows, test = people(4000, seed=3), people(1500, seed=4, prefix="t")
    made = train_ensemble(
        {"refined": TargetRows(CHURN, rows, test)},
        base(rows, knows_one_cause),
        features=["missed"],
        n_bootstrap=100,
        random_state=0,
        n_jobs=1,
    )
    told = made.card["targets"]["refined"]
    assert told["adopted"]
    assert told["gain"]["low"] > 0.05
    refined = made.model.predict(test.assign(base=knows_one_cause(rows)(test)))["refined"]
    assert np.corrcoef(refined, test["left"])[0, 1] > 0.5


def test_where_nothing_was_missed_the_base_stands_and_is_what_is_served():
    rows, test = people(3000, seed=5, hidden=0), people(800, seed=6, prefix="t", hidden=0)
    made = train_ensemble(
        {"refined": TargetRows(CHURN, rows, test)},
        base(rows, knows_one_cause),
        features=["missed"],
        n_bootstrap=100,
        random_state=0,
        n_jobs=1,
    )
    assert not made.card["targets"]["refined"]["adopted"]
    said = knows_one_cause(rows)(test)
    np.testing.assert_allclose(made.model.predict(test.assign(base=said))["refined"], said)


@pytest.mark.parametrize("side", ["learn", "test"])
def test_nobody_to_learn_from_or_to_judge_is_a_clear_error(side):
    rows, test = people(50), people(50, prefix="t")
    tables = {"learn": rows, "test": test} | {side: rows.iloc[:0]}
    with pytest.raises(ValueError, match="there are no labelled"):
        train_ensemble(
            {"refined": TargetRows(CHURN, **tables)},
            base(rows, knows_one_cause),
            features=["missed"],
            n_bootstrap=10,
            random_state=0,
        )
