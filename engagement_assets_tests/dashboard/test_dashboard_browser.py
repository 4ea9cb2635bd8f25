"""The dashboard as a person uses it: a real server, a real browser, the main ways through."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from engagement_assets_tests.browser import (
    CHROMIUM,
    DESKTOP,
    PHONE,
    browser,
    open_page,
    server,
    settle,
)
from engagement_assets_tests.dashboard.conftest import World

pytestmark = pytest.mark.skipif(
    not CHROMIUM, reason="no browser is installed: chromium, or CHROMIUM=…"
)
# where screenshots are left for people who look at a run of the tests
ARTEFACTS = os.environ.get("TEST_ARTEFACTS")


@pytest.fixture(scope="module")
def address(world: World) -> Iterator[str]:
    with server(world.home, "dashboard") as url:
        yield url


@pytest.fixture(scope="module")
def page(address: str) -> Iterator[Page]:
    with browser() as started:
        opened = started.new_page(viewport={"width": DESKTOP[0], "height": DESKTOP[1]})
        opened.goto(address)
        opened.get_by_role("heading", name="Today", level=1).wait_for(timeout=120_000)
        settle(opened)
        yield opened


def photograph(page: Page, name: str) -> None:
    if ARTEFACTS:
        page.screenshot(path=Path(ARTEFACTS) / f"{name}.png")


def violations(page: Page) -> list[str]:
    """Return what axe finds that keeps somebody from using the page."""
    response = Axe().run(page).response
    return [
        f"{one['id']}: {node['html'][:200]}"
        for one in response["violations"]
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


def test_the_token_leaves_the_address(page: Page) -> None:
    assert "token" not in page.url


def test_support_goes_from_today_to_a_customer(page: Page, world: World) -> None:
    open_page(page, "Customer")
    box = page.get_by_label("Customer id")
    box.fill(world.people[3])
    box.press("Enter")
    expect(page.get_by_role("heading", name="Scores", exact=True)).to_be_visible(timeout=60_000)
    settle(page)
    photograph(page, "customer")
    assert violations(page) == []


def test_a_question_is_answered_with_its_facts(page: Page, world: World) -> None:
    open_page(page, "Ask")
    box = page.get_by_label("Question")
    box.fill("How many customers are there?")
    box.press("Enter")
    expect(page.get_by_text(str(len(world.people))).first).to_be_visible(timeout=60_000)
    settle(page)
    photograph(page, "ask")
    assert violations(page) == []


@pytest.mark.parametrize("name", ["Today", "Segments", "Models", "Governance"])
def test_a_page_can_be_used_by_everybody(page: Page, name: str) -> None:
    open_page(page, name)
    photograph(page, name.lower())
    assert violations(page) == []


def test_a_phone_needs_no_scrolling_to_the_side(page: Page) -> None:
    page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    settle(page)
    photograph(page, "phone")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
    page.set_viewport_size({"width": DESKTOP[0], "height": DESKTOP[1]})


def test_the_keyboard_reaches_the_pages(page: Page) -> None:
    reached = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.textContent.trim()"))
    assert {"Today", "Customer", "Governance"} <= reached
