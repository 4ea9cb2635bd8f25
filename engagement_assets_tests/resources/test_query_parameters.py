"""What is given for a parameter comes back as it is, and what is quoted stays as it is."""

from datetime import date, datetime

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources.sql import Query, SqlError

WRITTEN = """
-- it's a comment with :text
SELECT CAST(:text AS VARCHAR) AS text, 0 - :number AS less, CAST(:time AS TIMESTAMP) AS at,
       CAST(:day AS DATE) - INTERVAL 1 DAY AS before, ':text' AS quoted, 'it''s $text' AS doubled,
       CAST(:yes AS BOOLEAN) AS yes, text."$text" AS named
FROM (SELECT CAST(:text AS VARCHAR) AS "$text") AS text
WHERE :number IN (:number)
"""


@given(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20),
    st.integers(-(2**31), 2**31),
    st.dates(date(1000, 1, 1)),
    st.datetimes(datetime(1000, 1, 1)),
    st.booleans(),
)
def test_values_come_back_and_quoted_text_stays(text, number, day, time, yes):
    given_ = {"text": text, "number": number, "day": day, "time": time, "yes": yes}
    sql = Query("q", WRITTEN).render(given_)
    ((got, less, at, before, quoted, doubled, own, named),) = duckdb.sql(sql).fetchall()
    assert (got, named, less, at, own) == (text, text, -number, time, yes)
    assert before.date().toordinal() == day.toordinal() - 1
    assert (quoted, doubled) == (":text", "it's $text")


def test_one_query_is_asked_of_one_day_after_another():
    query = Query("q", "SELECT CAST(:day AS DATE) AS day")
    for day in (date(2026, 1, 1), date(2026, 1, 2)):
        assert duckdb.sql(query.render({"day": day})).fetchall() == [(day,)]


@pytest.mark.parametrize("given_", [{}, {"a": 1, "b": 2}], ids=["missing", "unknown"])
def test_parameters_that_do_not_fit_are_refused(given_):
    with pytest.raises(SqlError, match="parameters: "):
        Query("q", "SELECT CAST(:a AS INTEGER) AS a").render(given_)
