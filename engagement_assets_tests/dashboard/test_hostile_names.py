"""No name of a customer, a segment or an experiment does anything on any page but be seen."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from engagement_assets.dashboard import app
from engagement_assets.dashboard.access import Token
from engagement_assets.dashboard.showing import as_csv
from engagement_assets.dashboard.views.models import SPECS
from engagement_assets.learning.escaping import guarded, plain, visible
from engagement_assets_tests.browser import CHROMIUM, browser, open_page, server, settle
from engagement_assets_tests.dashboard import hostile
from engagement_assets_tests.dashboard.test_dashboard_app import SECONDS, draw

# what Markdown reads as more than text: links, tags, addresses, formulas, colours and icons
ACTIVE = re.compile(
    r"\]\(|\]\[|\]:|<[A-Za-z/!?]|:/|www\.|@[\w-]|:[A-Za-z][\w-]*\[|:material|(?<!\\)(?:\\\\)*\$",
    re.IGNORECASE,
)
# what the pages write themselves: links to assets, and small text
OWN = re.compile(r"\[[^\[\]]+\]\(http://127\.0\.0\.1:3000/assets/[\w/%-]+\)|^:small\[")
WHAT_TO_DO = {
    "Customer": lambda test: test.text_input[0].set_value(hostile.customer(3)),
    "Ask": lambda test: test.text_input[0].set_value(
        "Which segment has the highest mean engagement score?"
    ),
    "Models": lambda test: test.selectbox[0].set_value(hostile.MODEL),
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("hostile") / "home"
    made.mkdir()
    hostile.write_home(made, SPECS)
    return made


@pytest.fixture
def _opened(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in Token.new(hours=1.0, now=datetime.now(UTC)).as_environ().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("ENGAGEMENT_HOME", str(home))


def marked(test: AppTest) -> Iterator[str]:
    """Yield every text of a page that is read as Markdown."""
    for element in test:
        proto = getattr(element, "proto", None)
        assert not getattr(proto, "allow_html", False)
        for name in ("body", "label", "help"):
            text = getattr(proto, name, "")
            # a text or code is shown as it is
            if isinstance(text, str) and text and element.type not in ("text", "code"):
                yield text


@pytest.mark.usefixtures("_opened")
@pytest.mark.parametrize("page", [title for title, _, _ in app.PAGES])
def test_a_page_shows_hostile_texts_and_none_of_them_is_more_than_text(page: str) -> None:
    test = AppTest.from_function(draw, args=(page, "admin"), default_timeout=SECONDS).run()
    if page in WHAT_TO_DO:
        WHAT_TO_DO[page](test).run()
    assert not test.exception
    assert not test.error
    texts = list(marked(test))
    tables = "".join(one.value.to_csv() for one in test.dataframe)
    # the page did come to show them
    assert hostile.HOST in tables or any(hostile.HOST in text for text in texts)
    for text in texts:
        assert not ACTIVE.search(OWN.sub("", text)), text[:300]
    assert visible(tables) == tables
    if page == "Review":
        assert any(hostile.HOST in one for one in test.selectbox[0].options)


@pytest.mark.skipif(not CHROMIUM, reason="no browser is installed: chromium, or CHROMIUM=…")
def test_a_browser_follows_none_of_them_on_any_page(home: Path) -> None:
    asked = list[str]()
    with server(home, "dashboard") as address, browser() as started:
        page = started.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.goto(address)
        page.get_by_role("heading", name="Today", level=1).wait_for(timeout=120_000)
        settle(page)
        for title, _, _ in app.PAGES:
            open_page(page, title)
            for label, text in (
                ("Customer id", hostile.customer(3)),
                ("Question", "Which segment has the highest mean engagement score?"),
            ):
                if page.get_by_label(label).count():
                    page.get_by_label(label).fill(text)
                    page.get_by_label(label).press("Enter")
                    settle(page)
            closed = page.locator("details:not([open]) > summary")
            for _ in range(closed.count()):
                closed.first.click()
            settle(page)
            links = page.eval_on_selector_all("main a, section a", "all => all.map(a => a.href)")
            assert [one for one in links if hostile.HOST in one] == [], title
            assert page.locator(".katex, main iframe").count() == 0, title
            shown = page.eval_on_selector_all("img", "all => all.map(one => one.src)")
            assert [one for one in shown if hostile.HOST in one] == [], title
    assert [one for one in asked if hostile.HOST in one] == []


@pytest.mark.parametrize("text", hostile.TEXTS, ids=range(len(hostile.TEXTS)))
def test_a_text_is_shown_whole(text: str) -> None:
    escaped = plain(text)
    assert "\n" not in escaped
    assert not ACTIVE.search(escaped)
    # without what was put between, it is what it was
    bare = re.sub(r"\\([^\w\s])|\u2060", lambda match: match[1] or "", escaped)
    assert bare == " ".join(visible(text).split())


def test_a_report_keeps_its_plots_tables_and_words() -> None:
    plot = "![a curve](data:image/png;base64,iVBORw0KGgo=)"
    report = f"# Report\n\n| a | b |\n|---|---:|\n| `x` | 12.5 % |\n\n{plot}\n\n- *1* at 10:30"
    assert guarded(report) == report
    linked = f"[{plot}](https://{hostile.HOST})"
    assert "](https" not in guarded(linked)
    assert plot in guarded(linked)


def test_no_text_is_a_formula_in_a_download() -> None:
    cells = [*hostile.TEXTS, " =1", "\n=1", "＝1", "a;=1", "+1", "@x"]
    lines = as_csv(pd.DataFrame({"name": cells}))
    read = pd.read_csv(BytesIO(lines))["name"].astype(str)
    assert not read.str.match(r"\s*[=+@＝-]").any()
    assert b'"a;=1"' in lines
