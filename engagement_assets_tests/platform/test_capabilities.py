"""The page of everything that the platform does, beside what there is."""

import re

import pytest

from benchmarks.bars import Judged, figures_of, judged
from benchmarks.capabilities import HERE, PAGE, SECTIONS, declared, own_bars, page
from engagement_assets.dashboard import app
from engagement_assets_tests.platform.listing import listed

EVERY = [one for section in SECTIONS for one in declared()[section]]
RESULTS = HERE / "results"


def test_the_page_is_as_the_figures_make_it() -> None:
    assert PAGE.read_text() == page(judged(figures_of(RESULTS)))


@pytest.mark.parametrize("one", EVERY, ids=lambda one: one["title"])
def test_a_capability_names_assets_pages_and_documents_that_are_there(one: dict) -> None:
    assert set(one["assets"]) <= set(listed()["assets"])
    titles = {title for title, _, _ in app.PAGES}
    named = re.search(r"dashboard: ([^;]*)", one["use"])
    assert not named or set(named[1].split(", ")) <= titles
    for document in re.findall(r"\(([a-z-]+\.md)\)", one["use"]):
        assert (PAGE.parent / document).exists()


def test_figures_of_a_capability_are_those_of_its_parts() -> None:
    bars = [
        Judged("models-customers-10", "churn AUC", "1", "2", met=True),
        Judged("models-customers-10", "value R2", "1", "2", met=False),
        Judged("modelsize", "churn", "1", "2", met=None),
    ]
    assert [bar.what for bar in own_bars(["models: churn"], bars)] == ["churn AUC"]
    assert [bar.verdict for bar in bars] == ["yes", "**no**", "–"]
