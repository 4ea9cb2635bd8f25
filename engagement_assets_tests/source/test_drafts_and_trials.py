"""Drafts of mappings from columns, mappings tried on a sample, and quarantine as text."""

import math
from pathlib import Path

import duckdb
import pytest

from engagement_assets.commands.source import check_source, map_source, quarantine
from engagement_assets.settings.fields import SettingsError
from engagement_assets.source.drafting import DOUBT
from engagement_assets.source.errors import MissingDataError
from engagement_assets_tests.source.raw_rows import a_session, table_of, take_in
from resources.lake import Lake

USERS = "user_id,registered_at,sex,country\n1,2024-01-01 08:00,female,NL\n2,2024-01-02 08:00,,US\n"
VISITS = (
    "visit_id,user_id,timestamp,duration\nv1,1,2024-01-01 09:00,300\nv2,2,2024-01-02 09:00,60\n"
)
CLIENTS = "CustomerID,first_seen,country\n1,2024-01-01 08:00,NL\n2,2024-01-02 08:00,US\n"
ORDER_LINES = (
    "InvoiceDate,Quantity,UnitPrice,CustomerID\n"
    "2024-01-03 09:00,6,2.50,1\n2024-01-04 09:00,-1,2.50,1\n2024-01-05 09:00,some,2.50,2\n"
)
EVENTS = "user_id,time\n1,1704100000\n1,1704100600\n1,1704110000\n2,1704200000\n"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


def test_a_draft_from_plain_names_runs_as_it_is(data: Path, tmp_path: Path, capsys) -> None:
    (data / "users.csv").write_text(USERS)
    (data / "visits.csv").write_text(VISITS)
    folder = map_source("shop", str(data), root=tmp_path / "sql")
    assert {path.name for path in folder.iterdir()} == {
        "customers.sql",
        "sessions.sql",
        "source.toml",
    }
    assert '"country" AS location' in (folder / "customers.sql").read_text()
    assert DOUBT not in (folder / "sessions.sql").read_text()
    capsys.readouterr()
    assert check_source("shop", str(data), customers=10, root=tmp_path / "sql")
    shown = capsys.readouterr().out
    assert "2 rows" in shown
    assert "quarantine: no rows" in shown


def test_a_log_alone_gives_visits_and_customers(data: Path, tmp_path: Path, capsys) -> None:
    (data / "events.csv").write_text(EVENTS)
    map_source("log", str(data), root=tmp_path / "sql")
    capsys.readouterr()
    assert check_source("log", str(data), customers=10, root=tmp_path / "sql")
    shown = capsys.readouterr().out.split("its customers", 1)[1].split()
    # the first customer comes back after more than half an hour
    assert shown[shown.index("sessions") + 1] == "3"
    assert shown[shown.index("customers") + 1] == "2"


def test_a_shops_order_lines_are_its_payments_and_clients_its_customers(
    data: Path, tmp_path: Path, capsys
) -> None:
    (data / "clients.csv").write_text(CLIENTS)
    (data / "order_lines.csv").write_text(ORDER_LINES)
    folder = map_source("shop", str(data), root=tmp_path / "sql")
    assert "first_seen" in (folder / "customers.sql").read_text()
    assert "row_number()" in (folder / "transactions.sql").read_text()
    capsys.readouterr()
    assert not check_source("shop", str(data), customers=10, root=tmp_path / "sql")
    shown = capsys.readouterr().out
    assert "quarantine: 1 row" in shown
    assert "amount_usd" in shown.split("quarantine", 1)[1]
    with duckdb.connect() as connection:
        sql = (folder / "transactions.sql").read_text().replace(":data", f"'{data}'")
        amounts = connection.execute(sql).df()["amount_usd"].tolist()
    assert amounts[:2] == [6 * 2.5, -2.5]
    assert math.isnan(amounts[2])


def test_a_file_with_a_tables_name_that_lacks_a_column_is_named(
    data: Path, tmp_path: Path, capsys
) -> None:
    (data / "users.csv").write_text(USERS)
    (data / "payments.csv").write_text("user_id,paid_at_desk\n1,yes\n")
    map_source("shop", str(data), root=tmp_path / "sql")
    shown = capsys.readouterr().out
    assert "transactions: payments.csv has no column like amount_usd and occurred_at" in shown


def test_what_no_column_looks_like_is_left_to_a_person(data: Path, tmp_path: Path) -> None:
    (data / "users.csv").write_text("user_id\n1\n")
    (data / "visits.csv").write_text("user_id\n1\n")
    folder = map_source("bare", str(data), root=tmp_path / "sql")
    assert DOUBT in (folder / "sessions.sql").read_text()
    assert "NULL AS signed_up_at" in (folder / "customers.sql").read_text()


def test_a_mapping_that_is_there_is_not_overwritten(data: Path, tmp_path: Path) -> None:
    (data / "users.csv").write_text(USERS)
    map_source("shop", str(data), root=tmp_path / "sql")
    with pytest.raises(SettingsError, match="shop"):
        map_source("shop", str(data), root=tmp_path / "sql")


def test_a_folder_without_files_is_an_error(data: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingDataError):
        map_source("shop", str(data), root=tmp_path / "sql")


def test_quarantine_is_told_by_reason_with_examples(lake: Lake) -> None:
    assert quarantine(lake) == "quarantine: no rows\n"
    bad = [a_session(number, pages=-number) for number in range(1, 6)]
    take_in({"sessions": table_of("sessions", bad)}, lake)
    text = quarantine(lake)
    assert "5 rows of sessions: out of bounds: pages" in text
    assert text.count('"session_id"') == 3
    assert quarantine(lake, table="posts") == "quarantine: no rows\n"
