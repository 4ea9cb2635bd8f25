"""Verdicts that were given here are taken in with the source's own reviews, on their day."""

import pyarrow as pa
import pytest
from raw_rows import MemoryReader, at, customers, table_of

from engagement_assets.source.ingestion import ingest
from engagement_assets.source.reviewed import with_verdicts
from resources.reviews import VERDICT, Step, case_of


def case(who, day, *people):
    steps = [
        Step(
            customer_id=who,
            since="2024-01-01",
            action=VERDICT,
            by=by,
            at=f"{at(day).isoformat()}+00:00",
            fraud=True,
        )
        for by in people
    ]
    return case_of(who, "2024-01-01", steps, second_share=0.0)


@pytest.mark.parametrize("texts", [True, False])
def test_a_decided_case_is_a_row_of_reviews_and_an_open_one_is_not(lake, texts):
    own = table_of(
        "reviews", [{"customer_id": "ann", "confirmed_fraud": False, "occurred_at": at(1)}]
    )
    if texts:
        own = own.cast(pa.schema([(name, pa.string()) for name in own.schema.names]))
    source = MemoryReader({"customers": customers("ann", "bob", "cyd"), "reviews": own})
    reader = with_verdicts(source, [case("bob", 1, "x", "y"), case("cyd", 1, "x")])
    report = ingest(reader, lake, source.first_day, at(2).date())
    rows = lake.read("source/reviews", days=[at(1).date()]).to_pylist()
    assert {(row["customer_id"], row["confirmed_fraud"], row["occurred_at"]) for row in rows} == {
        ("ann", False, at(1)),
        ("bob", True, at(1)),
    }
    assert report.total_quarantined == 0


def test_a_source_without_reviews_has_those_of_here(lake):
    source = MemoryReader({"customers": customers("ann")})
    reader = with_verdicts(source, [case("ann", 1, "x", "y")])
    ingest(reader, lake, source.first_day, at(1).date())
    (row,) = lake.read("source/reviews", days=[at(1).date()]).to_pylist()
    assert (row["customer_id"], row["confirmed_fraud"]) == ("ann", True)
