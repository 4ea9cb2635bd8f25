"""Seconds until a page of the dashboard is drawn, in a real browser, on a home that was made.

    python -m benchmarks.page_load --home HOME --visits 10

From the click on a page's link until its heading is there and Streamlit runs nothing any more: once
after the start, then warm, pages in turns. Besides, one customer's page and an answer of the chat.
Wants chromium. Belongs here: measuring. Does not belong here: the browser and the servers
(`engagement_assets_tests.browser`).
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Page

from engagement_assets_tests.browser import DESKTOP, SECONDS, browser, server
from engagement_assets_tests.pictures import QUESTION, somebody
from resources.lake import Lake

PAGES = (
    "Today", "Customer", "Segments", "Forecast", "Experiments and value", "Network", "Models",
    "Decisions", "Review", "Governance", "Ask",
)  # fmt: skip
WAIT = SECONDS * 1000
IDLE = "document.querySelector('[data-testid=stApp]')?.dataset.testScriptState === 'notRunning'"
CUSTOMERS = "features/customer_features"


def main() -> None:
    """Visit each page, and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--visits", type=int, default=10)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    home = options.home.resolve()
    lake = Lake(str(home / "lake"))
    day = lake.days(CUSTOMERS)[-1]
    customers = lake.row_count(CUSTOMERS, day)
    with browser() as started, server(home, "dashboard") as address:
        page = started.new_page(viewport={"width": DESKTOP[0], "height": DESKTOP[1]})
        page.goto(address)
        drawn(page, "Today")
        figures = {"customers": customers, "pages": visits(page, home, options.visits)}
    print(f"{customers:,} customers; {options.visits} warm visits each\n")
    print("| page | first, s | warm p50, s | warm p95, s |\n|---|---:|---:|---:|")
    for name, one in figures["pages"].items():
        print(f"| {name} | {one['first']:.2f} | {one['p50']:.2f} | {one['p95']:.2f} |")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


def visits(page: Page, home: Path, count: int) -> dict[str, dict[str, Any]]:
    """Visit pages in turns; seconds of the first visit and quantiles of those after it."""
    customer = somebody(home)
    tasks: dict[str, Callable[[], None]] = {}
    for name in PAGES:
        tasks[name] = lambda name=name: open_page(page, name)
        if name == "Customer":
            tasks["one customer"] = lambda: show_customer(page, customer)
        if name == "Ask":
            tasks["an answer of the chat"] = lambda: answer(page)
    took: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(count + 1):
        for name, task in tasks.items():
            began = time.perf_counter()
            task()
            took[name].append(time.perf_counter() - began)
    return {
        name: {
            "first": first,
            "p50": float(np.median(warm)),
            "p95": float(np.quantile(warm, 0.95, method="higher")),
        }
        for name, (first, *warm) in took.items()
    }


def open_page(page: Page, name: str) -> None:
    """Go to a page by its link."""
    page.get_by_role("link", name=name, exact=True).click()
    drawn(page, name)


def show_customer(page: Page, customer: str) -> None:
    """Show a customer on the open page."""
    page.get_by_label("Customer id").fill(customer)
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Scores", exact=True).wait_for(timeout=WAIT)
    idle(page)


def answer(page: Page) -> None:
    """Ask a question on the open page."""
    page.get_by_label("Question").fill(QUESTION)
    page.keyboard.press("Enter")
    page.get_by_text("as of").first.wait_for(timeout=WAIT)
    idle(page)


def drawn(page: Page, name: str) -> None:
    """Wait until a page is drawn."""
    page.get_by_role("heading", name=name, exact=True, level=1).wait_for(timeout=WAIT)
    idle(page)


def idle(page: Page) -> None:
    """Wait until Streamlit runs nothing."""
    page.wait_for_function(IDLE, timeout=WAIT)


if __name__ == "__main__":
    main()
