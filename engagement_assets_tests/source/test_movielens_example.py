"""The MovieLens example: a few ratings made here."""

from datetime import date
from pathlib import Path

import pytest

from engagement_assets.source.ingestion import ingest
from engagement_assets.source.mapping import open_mapped
from resources.lake import Lake

SOURCES = Path(__file__).parents[2] / "sql" / "source"
DAY = date(1997, 9, 20)
AT = 874_724_400  # 1997-09-20 03:00
FILES = {
    "inter": [
        "user_id:token\titem_id:token\trating:float\ttimestamp:float",
        f"1\t10\t5\t{AT}",
        f"1\t11\t3\t{AT + 1700}",
        f"1\t12\t4\t{AT + 3600}",
        f"2\t11\t1\t{AT + 5}",
    ],
    "user": [
        "user_id:token\tage:token\tgender:token\toccupation:token\tzip_code:token",
        "1\t24\tM\ttechnician\t85711",
        "2\t53\tF\tother\tT8H1N",
    ],
    "item": [
        "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq",
        "10\tToy Story\t1995\tAnimation Children's Comedy",
        "11\tHeat\t1995\tCrime",
    ],
}


@pytest.fixture
def taken_in(tmp_path: Path, lake: Lake) -> Lake:
    for name, lines in FILES.items():
        (tmp_path / f"ml-100k.{name}").write_text("\n".join([*lines, ""]))
    reader = open_mapped("movielens", root=SOURCES, data=str(tmp_path))
    report = ingest(reader, lake, DAY, DAY)
    assert (report.total_quarantined, report.rows_of("interactions")) == (0, 4)
    return lake


def test_ratings_become_people_visits_and_likes(taken_in: Lake) -> None:
    def rows(table: str) -> list[dict[str, object]]:
        return list(taken_in.read(f"source/{table}", days=[DAY]).to_pylist())

    people = {row["customer_id"]: row for row in rows("customers")}
    assert people["1"]["birth_date"] == date(1973, 7, 1)
    assert [people[name]["gender"] for name in "12"] == ["male", "female"]
    assert sorted(str(row["kind"]) for row in rows("interactions")) == [
        "like",
        "like",
        "view",
        "view",
    ]
    visits = [
        (row["session_id"], row["duration_seconds"], row["pages"]) for row in rows("sessions")
    ]
    assert sorted(visits) == [("1/0", 1700.0, 2), ("1/1", 30.0, 1), ("2/0", 30.0, 1)]
    assert {row["category"] for row in rows("posts")} == {"Animation", "Crime"}
    assert {row["customer_id"] for row in rows("posts")} == {None}
