"""The data dictionary that is committed is the one that the contract and the catalogue make."""

from pathlib import Path

from engagement_assets.features.catalogue import FEATURE_NAMES
from engagement_assets.governance.dictionary import document
from engagement_assets.source.contract import TABLES

COMMITTED = Path(__file__).resolve().parents[2] / "docs" / "data-dictionary.md"


def test_the_committed_dictionary_is_current():
    assert COMMITTED.read_text() == document(), (
        "run: python -m engagement_assets.governance.dictionary > docs/data-dictionary.md"
    )


def test_every_raw_column_and_every_feature_has_a_line():
    text = document()
    for table in TABLES.values():
        assert f"### `{table.key}`" in text
        for field in table.columns:
            assert f"| `{field.name}` |" in text
    for name in FEATURE_NAMES:
        assert f"`{name}`" in text
