"""Tuned estimators: what is chosen, kept as data, explained, limited, and goes on after a kill."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from engagement_assets.learning.errors import TooLittleDataError
from engagement_assets.learning.evaluation.binary import OneClassError
from engagement_assets.learning.tuning import search
from engagement_assets.learning.tuning.estimators import TunedClassifier, TunedRegressor
from engagement_assets.learning.tuning.learners import FAMILIES, family
from engagement_assets.learning.tuning.limits import OutOfMemoryError
from engagement_assets.learning.tuning.report import tuning_markdown
from engagement_assets.learning.tuning.search import NoTrialError
from engagement_assets.learning.tuning.study import (
    STUDY_FILE,
    TRIALS_FILE,
    DamagedStudyError,
    OtherStudyError,
    StudyInUseError,
    StudyRecord,
)

N = 160
RNG = np.random.default_rng(0)
X = pd.DataFrame(
    {
        "size": RNG.normal(size=N),
        "weight": np.where(RNG.random(N) < 0.2, np.nan, RNG.normal(size=N)),
        "colour": RNG.choice(["red", "blue", None], N),
    }
)
SIZE = X["size"].to_numpy()
LABEL = (SIZE + RNG.normal(size=N) > 0).astype(int)
NUMBER = 100.0 + 20.0 * SIZE + 10.0 * (X["colour"] == "red")
SMALL = {"trials": 3, "folds": 2, "n_jobs": 1, "families": ("lightgbm", "xgboost")}
FORMATS = {"xgboost": "ubj", "lightgbm": "txt", "catboost": "cbm", "net": "safetensors"}


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("kind", ["labels", "numbers"])
def test_each_learner_is_kept_as_data_and_explained_to_the_sum(name, kind, tmp_path):
    how = {"trials": 1, "folds": 2, "n_jobs": 1, "families": (name,)}
    if kind == "labels":
        model = TunedClassifier(**how).fit(X, LABEL)
        predict = model.predict_proba
    else:
        model = TunedRegressor(**how).fit(X, NUMBER)
        predict = model.predict
        assert np.corrcoef(predict(X), NUMBER)[0, 1] > 0.8
    explanation = model.explain(X)
    margin = model.predict_margin(X)
    sums = explanation.contributions.sum(axis=1) + explanation.base_value
    np.testing.assert_allclose(sums, margin, rtol=1e-4, atol=1e-4)
    assert np.abs(explanation.contributions).mean(axis=0).argmax() == 0

    model.save(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        "tuned.json",
        f"member-0.{FORMATS[name]}",
    }
    loaded = type(model).load(tmp_path)
    again = loaded.predict_proba if kind == "labels" else loaded.predict
    np.testing.assert_array_equal(again(X), predict(X))
    np.testing.assert_array_equal(loaded.explain(X).contributions, explanation.contributions)


@pytest.mark.parametrize("name", FAMILIES)
def test_the_same_seed_and_data_give_the_same_bytes(name):
    kind, matrix = family(name), X[["size", "weight"]].to_numpy(np.float32)
    parameters = {**kind.defaults, "rounds": 3}

    def content(seed):
        fitted = kind(parameters, logistic=False, seed=seed, n_jobs=1).fit(
            matrix, NUMBER.to_numpy()
        )
        return fitted.to_bytes()

    assert content(1) == content(1)


def test_categories_and_nulls_that_were_not_seen_are_predicted():
    model = TunedClassifier(**SMALL | {"families": tuple(FAMILIES), "trials": 4}).fit(X, LABEL)
    unseen = pd.DataFrame({"size": [0.0, None], "weight": [None, 1.0], "colour": ["green", None]})
    chance = model.predict_proba(unseen.astype({"size": float, "weight": float}))
    assert np.isfinite(chance).all()
    assert np.allclose(chance.sum(axis=1), 1.0)


def test_a_search_that_was_killed_goes_on_with_the_same_trials(tmp_path, monkeypatch):
    def trials(folder: Path) -> list[dict]:
        lines = [json.loads(line) for line in (folder / TRIALS_FILE).read_text().splitlines()]
        for line in lines:
            del line["notes"]["seconds"], line["digest"]
        return lines

    how = {**SMALL, "trials": 7}
    whole = TunedClassifier(**how, study=str(tmp_path / "whole")).fit(X, LABEL)

    scored = search.Scoring.staged
    calls = []

    def killed(self, *arguments):
        calls.append(arguments)
        if len(calls) > 8:
            raise KeyboardInterrupt
        return scored(self, *arguments)

    cut = TunedClassifier(**how, study=str(tmp_path / "cut"))
    with monkeypatch.context() as patched:
        patched.setattr(search.Scoring, "staged", killed)
        with pytest.raises(KeyboardInterrupt):
            cut.fit(X, LABEL)
    record = tmp_path / "cut" / TRIALS_FILE
    assert 0 < len(trials(tmp_path / "cut")) < 7
    # a kill within the writing of a line
    record.write_text(record.read_text() + '{"number": 4, "sta')
    cut.fit(X, LABEL)
    assert trials(tmp_path / "cut") == trials(tmp_path / "whole")
    np.testing.assert_array_equal(cut.predict_proba(X), whole.predict_proba(X))

    with pytest.raises(OtherStudyError, match="other data or settings"):
        cut.fit(X, 1 - LABEL)


def flipped(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def without_first_line(path: Path) -> None:
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[1:]))


def twice(path: Path) -> None:
    path.write_bytes(path.read_bytes() * 2)


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        (TRIALS_FILE, lambda path: flipped(path, path.read_bytes().index(b'"value"') + 12)),
        (TRIALS_FILE, without_first_line),
        (TRIALS_FILE, twice),
        (TRIALS_FILE, lambda path: path.write_bytes(b"[" * 100_000 + b"\n")),
        (STUDY_FILE, Path.unlink),
        ("trial-0.npy", lambda path: flipped(path, 200)),
        ("trial-0.npy", lambda path: path.replace(path.with_name("trial-1.npy"))),
    ],
    ids=["bit", "line gone", "lines twice", "deep", "seal gone", "bit of margins", "other margins"],
)
def test_a_study_that_is_not_what_was_written_chooses_nothing(tmp_path, name, damage):
    model = TunedClassifier(**SMALL | {"trials": 2}, study=str(tmp_path)).fit(X, LABEL)
    damage(tmp_path / name)
    with pytest.raises(DamagedStudyError, match="remove its folder"):
        model.fit(X, LABEL)


def test_one_process_searches_in_a_folder_at_a_time(tmp_path):
    with StudyRecord(tmp_path, {}), pytest.raises(StudyInUseError, match="another process"):
        StudyRecord(tmp_path, {})
    with StudyRecord(tmp_path, {}):
        pass


def test_more_trials_than_time_end_with_the_best_so_far(caplog):
    model = TunedRegressor(**SMALL | {"trials": 50}, minutes=0.0).fit(X, NUMBER)
    assert [trial["state"] for trial in model.trials_] == ["complete"]
    assert "The time was up after 1 of 50 trials" in caplog.text
    assert "1 of 50 trials" in tuning_markdown(model.tuning())


def test_a_trial_out_of_memory_fails_and_the_search_goes_on(monkeypatch):
    scored = search.Scoring.staged

    def greedy(self, name, *arguments):
        if name == "xgboost":
            raise OutOfMemoryError("more than 10 MiB")
        return scored(self, name, *arguments)

    monkeypatch.setattr(search.Scoring, "staged", greedy)
    model = TunedClassifier(**SMALL).fit(X, LABEL)
    failed = {trial["family"] for trial in model.trials_ if trial["state"] == "failed"}
    assert failed == {"xgboost"}
    assert all(learner.family == "lightgbm" for learner in model.members_)
    assert "out of memory" in tuning_markdown(model.tuning())
    with pytest.raises(NoTrialError, match="out of memory"):
        TunedClassifier(**SMALL | {"families": ("xgboost",)}).fit(X, LABEL)


def test_a_limit_of_memory_ends_a_trial_that_takes_more():
    wide = pd.DataFrame(RNG.normal(size=(4000, 60)))
    wide.columns = [f"x{i}" for i in range(60)]
    how = {**SMALL, "trials": 1, "families": ("lightgbm",)}
    with pytest.raises(NoTrialError, match="out of memory"):
        TunedRegressor(**how, memory_mib=1).fit(wide, wide["x0"])


def test_a_group_in_two_given_folds_is_refused():
    groups = np.arange(N) // 2
    with pytest.raises(ValueError, match="groups have rows in two folds"):
        TunedClassifier(**SMALL).fit(X, LABEL, groups=groups, fold=np.arange(N) % 2)
    fixed = TunedClassifier(**SMALL).fit(X, LABEL, groups=groups, fold=groups % 3)
    assert fixed.folds_ == 3


@pytest.mark.parametrize(
    ("target", "error"),
    [
        (np.ones(N), OneClassError),
        (np.r_[1, np.zeros(N - 1)], TooLittleDataError),
        (np.arange(N), ValueError),
        (np.where(np.arange(N) == 3, np.nan, LABEL), ValueError),
    ],
    ids=["one value", "one row of a class", "three classes", "a null"],
)
def test_a_target_that_cannot_be_learnt_is_refused(target, error):
    with pytest.raises(error):
        TunedClassifier(**SMALL).fit(X, target)


def test_many_rows_are_searched_by_a_part_and_the_best_scored_on_all():
    many = pd.concat([X] * 4, ignore_index=True)
    labels = np.tile(LABEL, 4)
    groups = np.tile(np.arange(N), 4)
    model = TunedClassifier(**SMALL | {"trials": 4}, search_rows=200, finalists=2)
    model.fit(many, labels, groups=groups)
    assert len(model.candidates_) <= 3
    assert np.isfinite(model.oof_margin_).all()
    assert len(model.oof_margin_) == len(many)
    hurried = TunedClassifier(**SMALL | {"trials": 4}, search_rows=200, minutes=0.0)
    hurried.fit(many, labels, groups=groups)
    assert [one.name for one in hurried.candidates_] == ["lightgbm, trial 1"]
    # the rows of a group are never both learnt from and scored: copies would give themselves away
    alone = TunedClassifier(**SMALL | {"trials": 4}).fit(X, LABEL)
    assert model.choice_.loss > 0.5 * alone.choice_.loss


def test_a_refit_keeps_the_choice():
    model = TunedRegressor(**SMALL).fit(X, NUMBER)
    other = model.refitted(X.iloc[::2], NUMBER.iloc[::2])
    assert [m.parameters for m in other.members_] == [m.parameters for m in model.members_]
    assert not np.array_equal(other.predict(X), model.predict(X))
