"""Nobody stands out in an export, nor by what totals say that it lacks."""

from datetime import date, datetime
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from upath import UPath

from engagement_assets.commands.export import export_rows
from engagement_assets.governance.privacy.export import exported
from engagement_assets.governance.privacy.masking import Masking
from engagement_assets.settings.installation import Settings
from engagement_assets.source.contract import TABLES
from engagement_assets_tests.decisions.tables import filled
from resources.lake import Lake
from resources.tables import Column, SchemaError, Table

TABLE = Table(
    "a/people",
    (
        Column("customer_id", "string", names_customer=True),
        Column("device", "string"),
        Column("plan", "string"),
        Column("age", "int64", generalised="decade"),
        Column("churned", "bool"),
        Column("email", "string", personal=True),
    ),
)
MASKING = Masking(b"k" * 32, UPath("unused"))


def people(*classes: tuple[str, str, int, list[bool]]) -> pd.DataFrame:
    rows = [
        {"device": device, "plan": plan, "age": age, "churned": churned}
        for device, plan, age, all_churned in classes
        for churned in all_churned
    ]
    return pd.DataFrame(rows).assign(customer_id=[f"c{n}" for n in range(len(rows))])


def export(rows: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    return exported(rows, TABLE, columns, ["churned"], masking=MASKING).rows


BOTH = [True, False]


def test_a_class_of_few_and_a_class_that_gives_its_secret_away_stay() -> None:
    rows = people(
        ("phone", "free", 34, BOTH * 10),
        ("desktop", "free", 34, [True] * 30),
        ("tablet", "free", 34, BOTH * 3),
    )
    left = export(rows, ["device"])
    assert left["device"].unique().tolist() == ["phone"]
    assert list(left.columns) == ["device", "churned"]


def test_ages_leave_as_decades_and_ids_do_not_leave() -> None:
    left = export(people(("phone", "free", 34, BOTH * 10)), ["device", "age"])
    assert left["age"].unique().tolist() == [30]
    assert not left.astype(str).isin([f"c{n}" for n in range(20)]).any(axis=None)


def test_totals_less_the_export_single_nobody_out() -> None:
    """The differencing attack: a known total of any columns, less what left of it."""
    rows = people(
        ("phone", "free", 30, BOTH * 10),
        ("phone", "premium", 30, BOTH * 2),
        ("desktop", "free", 30, BOTH * 12),
        ("desktop", "premium", 30, BOTH * 15),
    )
    left = export(rows, ["device", "plan"])
    # of the phones four would be known by the total of phones, were only they left out
    assert "phone" not in set(left["device"])
    assert attacked(rows, left, ["device", "plan"]) == []


def test_no_attack_succeeds_on_a_thousand_people_of_many_kinds() -> None:
    rng = np.random.default_rng(7)
    size = 1_000
    rows = pd.DataFrame(
        {
            "customer_id": [f"c{n}" for n in range(size)],
            "device": rng.choice(
                ["phone", "desktop", "tablet", None], size, p=[0.6, 0.3, 0.07, 0.03]
            ),
            "plan": rng.choice(["free", "premium", "team"], size, p=[0.8, 0.15, 0.05]),
            "age": rng.integers(18, 80, size) // 10 * 10,
            "churned": rng.random(size) < 0.1,
        }
    )
    columns = ["device", "plan", "age"]
    left = export(rows, columns)
    assert len(left) > 500
    groups = left.groupby(columns, dropna=False)["churned"]
    assert groups.size().min() >= 10
    assert groups.nunique().min() >= 2
    assert attacked(rows, left, columns) == []
    # without complementary suppression it would succeed
    sizes = rows.groupby(columns, dropna=False)["churned"].transform("size")
    kinds = rows.groupby(columns, dropna=False)["churned"].transform("nunique")
    assert attacked(rows, rows[(sizes >= 10) & (kinds >= 2)], columns)


def attacked(rows: pd.DataFrame, left: pd.DataFrame, columns: list[str]) -> list[object]:
    """Totals by which too few people are known; a total that nobody left of is not published."""
    known = []
    for size in range(len(columns)):
        for part in combinations(columns, size):
            by = [rows[name].astype(str) for name in part] or [pd.Series("all", rows.index)]
            of = [left[name].astype(str) for name in part] or [pd.Series("all", left.index)]
            total = pd.crosstab(by, rows["churned"])
            gone = total.sub(pd.crosstab(of, left["churned"]), fill_value=0).loc[total.index]
            some = (gone.sum(axis=1) > 0) & (gone.sum(axis=1) < total.sum(axis=1))
            bad = some & ((gone.sum(axis=1) < 10) | ((gone > 0).sum(axis=1) < 2))
            known += [(part, name) for name in gone.index[bad]]
    return known


def test_what_names_somebody_is_no_column_of_an_export() -> None:
    rows = people(("phone", "free", 34, BOTH * 10)).assign(email="a@example.org")
    for name in ("email", "customer_id"):
        with pytest.raises(SchemaError, match=name):
            export(rows, ["device", name])
    with pytest.raises(SchemaError, match="several rows"):
        export(rows.assign(customer_id="c1"), ["device"])
    with pytest.raises(SchemaError, match="at least 10"):
        exported(rows, TABLE, ["device"], ["churned"], masking=MASKING, k=9)


def test_the_command_writes_the_latest_day_outside_the_home(tmp_path: Path) -> None:
    home, to = tmp_path / "home", tmp_path / "people.csv"
    settings = Settings(
        home=home, first_day=date(2026, 1, 1), masking_key=str(tmp_path / "masking.key")
    )
    customers = TABLES["customers"]
    for day in (date(2026, 1, 1), date(2026, 1, 2)):
        at = datetime(day.year, day.month, day.day)
        rows = [
            {
                "customer_id": f"c{n}",
                "signed_up_at": at,
                "recorded_at": at,
                "gender": "other" if day.day == 2 else "female",
                "account_type": ["free", "premium"][n % 2],
            }
            for n in range(12)
        ]
        Lake(str(home / "lake")).write(customers, filled(customers, rows), day=day)
    wanted = {"columns": ["gender"], "sensitive": ["account_type"], "day": None, "k": 10}
    export_rows(settings, customers.key, to, **wanted)
    assert pd.read_csv(to).value_counts().to_dict() == {
        ("other", "free"): 6,
        ("other", "premium"): 6,
    }
    with pytest.raises(SchemaError, match="lies in the home"):
        export_rows(settings, customers.key, home / "people.csv", **wanted)
