"""A table of any texts stays a table."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engagement_assets.learning import markdown


@given(st.lists(st.tuples(st.text(), st.text() | st.integers()), max_size=5))
def test_a_table_of_any_texts_has_one_line_a_row_and_its_number_of_cells(rows):
    lines = markdown.table(["a|b", "c\n"], rows).splitlines()
    assert len(lines) == 2 + len(rows)
    for line in lines:
        assert len(re.findall(r"(?<!\\)\|", line)) == 3


def test_a_row_of_another_length_is_an_error():
    with pytest.raises(ValueError, match="2 cells, the head has 1"):
        markdown.table(["a"], [("b", "c")])


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("![x](http://there/x.png)", r"![x]\(http://there/x.png)"),
        ("[x](javascript:1)", r"[x]\(javascript:1)"),
        ("<script>", r"\<script>"),
        ("</b>", r"\</b>"),
        ("p < .05 and <0.01", "p < .05 and <0.01"),
    ],
)
def test_a_name_is_no_link_no_picture_and_no_tag(name, shown):
    assert markdown.inline(name) == shown
