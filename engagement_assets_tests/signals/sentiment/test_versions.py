"""Which version of the sentiment model scores, and which trained one may."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from engagement_assets.learning.text.heads import CARD_FILE, WEIGHTS_FILE, AdapterError
from engagement_assets.learning.text.sentiment import SHIPPED
from engagement_assets.signals.sentiment.resource import SentimentResource
from engagement_assets.signals.sentiment.versions import (
    NAME,
    refusals,
    register_adapter,
    scoring_version,
)
from resources.registry import ModelRegistry, TamperedModelError

TASKS = ("sentiment", "emotion")


@pytest.fixture
def registry(tmp_path: Path) -> ModelRegistry:
    return ModelRegistry(tmp_path / "registry")


def another_adapter(folder: Path) -> Path:
    """The shipped weights with a card of their own."""
    shutil.copytree(SHIPPED, folder)
    card = folder / CARD_FILE
    card.write_text(card.read_text().replace('"minutes": 30.2', '"minutes": 31.2'))
    return folder


def test_the_shipped_adapter_is_the_first_champion_and_names_the_scores(
    registry: ModelRegistry,
) -> None:
    model = SentimentResource(threads=1).model(registry)
    assert model.version == registry.champion(NAME)
    assert (registry.open(NAME, model.version) / WEIGHTS_FILE).read_bytes() == (
        SHIPPED / WEIGHTS_FILE
    ).read_bytes()
    score = model.score_text("what a wonderful day").score
    assert score is not None
    assert score > 0.5


def test_a_promoted_version_scores_and_a_rollback_brings_the_shipped_one_back(
    registry: ModelRegistry, tmp_path: Path
) -> None:
    shipped = scoring_version(registry).version
    trained = register_adapter(registry, another_adapter(tmp_path / "other"))
    assert scoring_version(registry).version == shipped
    registry.promote(NAME, trained, "better")
    assert scoring_version(registry).version == trained
    registry.rollback(NAME)
    assert scoring_version(registry).version == shipped


def test_a_folder_that_is_set_is_registered_and_scores_whoever_is_champion(
    registry: ModelRegistry, tmp_path: Path
) -> None:
    champion = scoring_version(registry).version
    folder = another_adapter(tmp_path / "other")
    version = scoring_version(registry, adapter=str(folder)).version
    assert version != champion == registry.champion(NAME)
    assert set(registry.versions(NAME)) == {champion, version}


def test_changed_weights_are_refused_in_the_folder_and_in_the_registry(
    registry: ModelRegistry, tmp_path: Path
) -> None:
    folder = another_adapter(tmp_path / "other")
    (folder / WEIGHTS_FILE).write_bytes(b"other")
    with pytest.raises(AdapterError):
        register_adapter(registry, folder)
    version = scoring_version(registry)
    (Path(str(version.folder)) / WEIGHTS_FILE).write_bytes(b"other")
    with pytest.raises(TamperedModelError):
        scoring_version(registry)


def card(task: str, ours: float, plain: float, **more: Any) -> dict[str, Any]:
    figures = {
        "measure": "macro_recall",
        "adapter": {"value": ours},
        "tfidf_logistic_regression": {"value": plain},
    }
    return {"encoder": "all-MiniLM-L6-v2", "metrics": {task: figures}} | more


@pytest.mark.parametrize(
    ("trained", "named"),
    [
        (card("sentiment", 0.7, 0.6, start=card("emotion", 0.7, 0.6)), None),
        (card("sentiment", 0.5, 0.6, start=card("emotion", 0.7, 0.6)), "TF-IDF"),
        (card("sentiment", float("nan"), 0.6, start=card("emotion", 0.7, 0.6)), "TF-IDF"),
        (card("sentiment", 0.7, 0.6), "never trained on emotion"),
        (card("sentiment", 0.7, 0.6, start=card("emotion", 0.7, 0.6), encoder="own"), "own"),
    ],
    ids=["good", "worse than TF-IDF", "not measured", "an untrained head", "another encoder"],
)
def test_a_trained_adapter_must_pass_its_gates(trained: dict[str, Any], named: str | None) -> None:
    actual = refusals(trained, tasks=TASKS, encoder="all-MiniLM-L6-v2")
    assert (named is None) == (not actual)
    assert named is None or named in actual[0]
