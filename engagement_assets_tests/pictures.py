"""The pictures of the documentation, taken of a home that `make run` made.

    python -m engagement_assets_tests.pictures --home data/simulator-10000

writes `docs/pictures/*.png`: the Dagster UI and the dashboard as they are. Wants chromium.

Belongs here: what is photographed. Does not belong here: the browser and the servers
(`browser.py`).
"""

import argparse
import sys
from pathlib import Path

from playwright.sync_api import Page

from engagement_assets_tests.browser import DESKTOP, SECONDS, browser, open_page, server, settle
from resources.lake import Lake

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
# pages of the dashboard that stand for themselves
PAGES = ("Today", "Segments", "Forecast", "Models", "Governance")
QUESTION = "Which location has the highest mean engagement score?"


def dashboard(page: Page, home: Path) -> None:
    """Photograph the dashboard."""
    with server(home, "dashboard") as address:
        page.goto(address)
        page.get_by_role("heading", name="Today", level=1).wait_for(timeout=SECONDS * 1000)
        for name in PAGES:
            open_page(page, name)
            take(page, f"dashboard-{name.lower()}")
        open_page(page, "Customer")
        page.get_by_label("Customer id").fill(somebody(home))
        page.keyboard.press("Enter")
        page.get_by_role("heading", name="Scores", exact=True).wait_for(timeout=SECONDS * 1000)
        settle(page)
        take(page, "dashboard-customer")
        open_page(page, "Ask")
        page.get_by_label("Question").fill(QUESTION)
        page.keyboard.press("Enter")
        page.get_by_text("as of").first.wait_for(timeout=SECONDS * 1000)
        settle(page)
        take(page, "dashboard-ask")


def dagster_ui(page: Page, home: Path) -> None:
    """Photograph the lineage and a model's evaluation in the Dagster UI."""
    with server(home, "dev") as address:
        page.goto(f"{address}locations/engagement/asset-groups/churn")
        page.get_by_text("explanations").first.wait_for(timeout=SECONDS * 1000)
        # states of assets come after the graph
        page.wait_for_timeout(20_000)
        take(page, "dagster-lineage")
        page.goto(f"{address}assets/churn/evaluation")
        page.get_by_text("Latest materialization").wait_for(timeout=SECONDS * 1000)
        page.wait_for_timeout(10_000)
        take(page, "dagster-evaluation")


def somebody(home: Path) -> str:
    """Return the customer with the highest chance to churn."""
    lake = Lake(str(home / "lake"))
    day = lake.days("churn/predictions")[-1]
    rows = lake.read("churn/predictions", days=[day]).to_pandas()
    return str(rows.sort_values("churn_probability")["customer_id"].iloc[-1])


def take(page: Page, name: str) -> None:
    """Write a picture of what is seen."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    path = PICTURES / f"{name}.png"
    page.screenshot(path=path)
    sys.stdout.write(f"written: docs/pictures/{path.name}\n")


def main() -> None:
    """Take every picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="a home that `make run` made")
    parser.add_argument("--only", choices=("dashboard", "dagster"))
    options = parser.parse_args()
    with browser() as started:
        page = started.new_page(viewport={"width": DESKTOP[0], "height": DESKTOP[1]})
        if options.only != "dagster":
            dashboard(page, options.home.resolve())
        if options.only != "dashboard":
            dagster_ui(page, options.home.resolve())


if __name__ == "__main__":
    main()
