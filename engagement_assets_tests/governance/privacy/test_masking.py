"""Analysts see pseudonyms, decades and places; whoever sees people is noted."""

from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from upath import UPath

from engagement_assets.governance.privacy.masking import Masking, Reader, masking_key, readings
from engagement_assets.governance.tables import KNOWN_TABLES
from engagement_assets.settings.fields import SettingsError
from engagement_assets.settings.installation import Settings
from engagement_assets.source.contract import TABLES
from resources.tables import Column, SchemaError, Table

ANALYST = Reader("ann")
SUPPORT = Reader("sue", frozenset({"personal"}), purpose="complaint 7")
CUSTOMERS = TABLES["customers"]


@pytest.fixture
def masking(tmp_path: Path) -> Masking:
    return Masking(b"k" * 32, UPath(tmp_path / "readings"))


@pytest.fixture
def customers() -> pd.DataFrame:
    places = ["north"] * 10 + ["islet", None]
    return pd.DataFrame(
        {
            "customer_id": [f"c{n:02}" for n in range(12)],
            "birth_date": [date(1980 + n, 5, 17) for n in range(11)] + [None],
            "location": places,
            "time_zone": ["Europe/Vienna"] * 5 + ["Europe/Paris"] * 5 + ["Asia/Tokyo"] * 2,
            "email": [f"c{n:02}@example.org" for n in range(11)] + [None],
        }
    )


def test_an_analyst_sees_no_value_that_names_somebody(
    masking: Masking, customers: pd.DataFrame
) -> None:
    before = customers.copy()
    seen = masking.masked(customers, CUSTOMERS, ANALYST)
    pd.testing.assert_frame_equal(customers, before)
    shown = seen.to_csv()
    assert not any(value in shown for value in customers["customer_id"])
    assert "@" not in shown
    assert "-05-17" not in shown
    assert seen["birth_date"].dropna().unique().tolist() == [date(1980, 1, 1), date(1990, 1, 1)]
    assert seen["location"].tolist()[:11] == ["north"] * 10 + ["elsewhere"]
    assert seen["time_zone"].tolist() == ["Europe"] * 10 + ["elsewhere"] * 2
    # what is not known stays so
    assert seen.iloc[11][["birth_date", "location", "email"]].isna().all()
    assert readings(masking.root) == []


def test_a_pseudonym_is_the_same_in_every_table_and_another_with_another_key(
    masking: Masking, customers: pd.DataFrame
) -> None:
    sent = pd.DataFrame({"customer_id": ["c01", "c02"], "recipient_id": ["c02", "c01"]})
    masked = masking.masked(sent, TABLES["messages"], ANALYST)
    people = masking.masked(customers, CUSTOMERS, ANALYST)["customer_id"]
    assert masked["customer_id"].tolist() == people[1:3].tolist()
    assert masked["recipient_id"].tolist() == people[[2, 1]].tolist()
    assert people.nunique() == 12
    other = Masking(b"o" * 32, masking.root)
    assert other.pseudonym("c01") != masking.pseudonym("c01")


def test_who_sees_people_is_noted_before_they_are_shown(
    masking: Masking, customers: pd.DataFrame, tmp_path: Path
) -> None:
    seen = masking.masked(customers, CUSTOMERS, SUPPORT)
    pd.testing.assert_frame_equal(seen, customers)
    (reading,) = readings(masking.root)
    assert reading["reader"] == "sue"
    assert reading["purpose"] == "complaint 7"
    assert (reading["table"], reading["rows"]) == ("source/customers", 12)
    assert set(reading["columns"]) == set(customers.columns)
    # nothing about the customers themselves
    assert "c01" not in str(reading)
    (tmp_path / "file").touch()
    unwritable = Masking(masking.key, UPath(tmp_path / "file"))
    with pytest.raises(OSError, match="file"):
        unwritable.masked(customers, CUSTOMERS, SUPPORT)


def test_a_column_that_the_table_does_not_declare_is_refused(
    masking: Masking, customers: pd.DataFrame
) -> None:
    with pytest.raises(SchemaError, match="nickname"):
        masking.masked(customers.assign(nickname="Bo"), CUSTOMERS, ANALYST)


def test_ages_of_features_are_shown_by_decade_and_a_row_as_json_not_at_all(
    masking: Masking,
) -> None:
    tables = {table.key: table for table in KNOWN_TABLES}
    features = pd.DataFrame(
        {"customer_id": ["c1", "c2"], "age": [34, None], "gender": ["other"] * 2}
    )
    seen = masking.masked(features, tables["features/customer_features"], ANALYST)
    assert seen["age"].tolist()[0] == 30
    assert seen["gender"].tolist() == ["other", "other"]
    quarantined = pd.DataFrame({"row": ['{"customer_id": "c1"}']})
    seen = masking.masked(quarantined, tables["source/quarantine"], ANALYST)
    assert seen["row"].tolist() == ["withheld"]


def test_every_column_that_names_or_may_name_somebody_is_masked() -> None:
    for table in KNOWN_TABLES:
        for column in table.columns:
            if column.personal or column.names_customer or column.mentions_customer:
                assert column.masking, (table.key, column.name)


def test_the_number_of_a_person_is_not_shown(masking: Masking) -> None:
    table = Table("a/b", (Column("weight", "float64", personal=True),), without_customer="test")
    seen = masking.masked(pd.DataFrame({"weight": [61.5]}), table, ANALYST)
    assert seen["weight"].isna().all()


def test_the_key_is_made_once_outside_the_home(tmp_path: Path) -> None:
    home, path = tmp_path / "home", tmp_path / "keys" / "masking.key"
    settings = Settings(home=home, masking_key=str(path))
    key = masking_key(settings)
    assert masking_key(settings) == key
    assert path.stat().st_mode & 0o077 == 0
    assert [file.name for file in path.parent.iterdir()] == ["masking.key"]
    with pytest.raises(SettingsError, match="lies in the home"):
        masking_key(Settings(home=home, masking_key=str(home / "masking.key")))
    path.write_text("secret")
    with pytest.raises(SettingsError, match="no hexadecimal key"):
        masking_key(settings)
    path.write_text("00")
    with pytest.raises(SettingsError, match="expected keys of 32 bytes"):
        masking_key(settings)
    path.write_text(f"{'00' * 32}\n{'11' * 32}\n")
    with pytest.raises(SettingsError, match="2 keys; expected one"):
        masking_key(settings)
