"""Who is recognised in rows and texts, and who is not."""

import json

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources.subjects import Subjects
from resources.tables import Column, Table

NOTES = Table(
    "people/notes",
    (
        Column("customer_id", "string", names_customer=True),
        Column("other_id", "string", names_customer=True),
        Column("row", "string", mentions_customer=True),
    ),
)


def test_a_row_is_theirs_by_each_column_that_names_or_mentions_them() -> None:
    rows = pa.table(
        {
            "customer_id": ["ann", "bob", "bob", "bob", None],
            "other_id": [None, "ann", "bob", "anna", None],
            "row": [None, "{}", '{"x": "ann"}', "anna|bob", "bob|ann"],
        }
    )
    about = Subjects(frozenset({"ann"})).in_rows(NOTES, rows)
    assert about.tolist() == [True, True, True, False, True]


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ('{"customer_id": "42", "rows": 42}', '{"customer_id": "erased", "rows": 42}'),
        ("42 rows of 42.5", "42 rows of 42.5"),
        ("contact/2026-01-01/42/a", "contact/2026-01-01/erased/a"),
        ("| who | churn |\n| 42 | 42 |", "| who | churn |\n| erased | erased |"),
        ("the score of 918273? 42 is 918273.", "the score of erased? 42 is erased."),
        ("of 918273.5 and 918273 rows", "of 918273.5 and erased rows"),
        ('{"n": 918273, "all": [918273, 1918273]}', '{"n": 918273, "all": [918273, 1918273]}'),
    ],
)
def test_an_id_of_digits_is_no_figure(text: str, redacted: str) -> None:
    subjects = Subjects(frozenset({"42", "918273"}))
    assert subjects.redacted(text) == redacted
    assert subjects.in_text(text) == (text != redacted)


@given(
    st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1).filter(
        lambda name: not name.isdigit() and name not in "erased"
    ),
    st.sampled_from(['{"a": %s}', "[%s, 1]", "x %s y", "%s"]),
)
def test_whoever_is_named_in_json_is_recognised_and_gone_after_it_was_redacted(
    name: str, form: str
) -> None:
    subjects = Subjects(frozenset({name}))
    for text in (form % json.dumps(name), json.dumps({"inner": form % json.dumps(name)})):
        assert subjects.in_text(text)
        assert not subjects.in_text(subjects.redacted(text))
