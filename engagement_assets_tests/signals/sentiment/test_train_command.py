"""The training command writes an adapter, goes on from one and says what is wrong."""

from pathlib import Path

import pandas as pd
import pytest

from engagement_assets.commands.train_sentiment import main
from engagement_assets.learning.text.heads import load_adapter
from engagement_assets_tests.learning.text.small_encoder import (
    labelled_texts,
    save_small_distilbert,
)


def test_the_command_trains_goes_on_and_says_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = tmp_path / "encoder"
    small.mkdir()
    save_small_distilbert(small)
    corpus = tmp_path / "corpus.csv"
    columns = dict(zip(("text", "label"), labelled_texts(), strict=True))
    pd.DataFrame(columns).to_csv(corpus, index=False)
    common = ["--encoder", str(small), "--rank", "2", "--epochs", "1"]
    one, other = tmp_path / "one", tmp_path / "two"
    assert main([str(corpus), "--output", str(one), *common]) == 0
    assert main([str(corpus), "--output", str(other), "--start", str(one), *common]) == 0
    card = load_adapter(other)[1]
    assert card["start"]["weights_sha256"] == load_adapter(one)[1]["weights_sha256"]
    assert "kept aside" in capsys.readouterr().err
    assert load_adapter(one)[1]["weights_sha256"] != load_adapter(other)[1]["weights_sha256"]
    assert main([str(tmp_path / "none.csv"), *common]) == 2
    assert "no file or folder" in capsys.readouterr().err
