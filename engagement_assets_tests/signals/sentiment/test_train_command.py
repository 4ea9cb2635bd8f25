"""The training command writes an adapter, goes on from one and says what is wrong."""

from pathlib import Path

import pandas as pd
import pytest
from click.testing import Result
from typer.testing import CliRunner

from engagement_assets.commands.cli import app
from engagement_assets.learning.text.heads import load_adapter
from engagement_assets_tests.learning.text.small_encoder import (
    labelled_texts,
    save_small_distilbert,
)
from resources.registry import ModelRegistry


def train_sentiment(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["train-sentiment", *map(str, arguments)])


def test_the_command_trains_goes_on_and_says_what_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENGAGEMENT_HOME", str(tmp_path / "home"))
    small = tmp_path / "encoder"
    small.mkdir()
    save_small_distilbert(small)
    corpus = tmp_path / "corpus.csv"
    columns = dict(zip(("text", "label"), labelled_texts(), strict=True))
    pd.DataFrame(columns).to_csv(corpus, index=False)
    common = ("--encoder", small, "--rank", 2, "--epochs", 1)
    one, other = tmp_path / "one", tmp_path / "two"
    trained = train_sentiment(corpus, "--output", one, *common)
    assert trained.exit_code == 0
    assert "kept aside" in trained.stderr
    assert train_sentiment(corpus, "--output", other, "--start", one, *common).exit_code == 0
    # registered with its reasons, and no champion: it reads with another encoder than the home
    registry = ModelRegistry(tmp_path / "home" / "registry")
    assert len(registry.versions("sentiment")) == 2
    assert registry.champion("sentiment") is None
    assert "does not score" in trained.stderr
    card = load_adapter(other)[1]
    assert card["start"]["weights_sha256"] == load_adapter(one)[1]["weights_sha256"]
    assert load_adapter(one)[1]["weights_sha256"] != load_adapter(other)[1]["weights_sha256"]
    failed = train_sentiment(tmp_path / "none.csv", *common)
    assert failed.exit_code == 1
    assert "no file or folder" in failed.stderr
