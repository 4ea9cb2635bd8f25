"""A table of any texts stays a table."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engagement_assets.learning import markdown
from engagement_assets.learning.escaping import guarded


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
        ("![x](http://there/x.png)", "![x]|(http:|//there/x.png)"),
        ("![x](data:image/png;base64,iVBORw0KGgo=)", "![x]|(data:|image/png;base64,iVBORw0KGgo=)"),
        ("[x](javascript:1)", "[x]|(javascript:1)"),
        ("<script>", "<|script>"),
        ("</b>", "<|/b>"),
        ("at www.there.example", "at www|.there.example"),
        ("a | b", r"a \| b"),
        ("p < .05 and <0.01 at 10:30", "p < .05 and <0.01 at 10:30"),
    ],
)
def test_a_name_is_no_link_no_picture_and_no_tag(name, shown):
    # a mark that nobody sees stands where a bar does here
    marked = re.sub(r"(?<!\\)\|", "\u2060", shown)
    assert markdown.inline(name) == marked
    # what is shown on a page of the dashboard is guarded once more
    assert guarded(marked) == marked


def test_words_of_the_documentation_stay_as_they_are_but_for_bars():
    text = "tests/test_one::test_that, NDCG@10"
    assert text in markdown.table(["a"], [[text]], own=True)
    assert text not in markdown.table(["a"], [[text]])
    assert r"a \| b" in markdown.table(["a"], [["a | b"]], own=True)
