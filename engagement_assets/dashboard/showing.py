"""A picture or a report on a page of Streamlit, with what stands beside it.

Belongs here: how each is shown. Does not belong here: which (`views/`).
"""

import csv
import re
from collections.abc import Iterable

import pandas as pd
import streamlit as st

from engagement_assets.dashboard.pictures import Document, Picture
from engagement_assets.learning.escaping import guarded, plain, visible

# How a formula begins in a spreadsheet, also with wide characters (OWASP, CSV injection).
_FORMULA = re.compile(r"\s*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")


def show(shown: Iterable[Picture | Document], *, dagster: str) -> None:
    """Show pictures and reports below each other, so that a phone's width is enough."""
    for number, one in enumerate(shown):
        with st.container(border=True):
            st.subheader(plain(one.title), anchor=False)
            caption = f"{one.caption} · [open in Dagster]({one.asset_url(dagster)})"
            if isinstance(one, Document):
                _document(one, caption)
            else:
                _picture(one, caption, key=f"download-{number}-{one.title}")


def as_csv(rows: pd.DataFrame) -> bytes:
    """Return rows as CSV in which a spreadsheet takes no text of a customer for a formula."""
    harmless = rows.map(
        lambda cell: f"'{cell}" if isinstance(cell, str) and _FORMULA.match(cell) else cell
    )
    # quoted, since a spreadsheet of some countries parts cells at semicolons too
    text = harmless.to_csv(index=False, quoting=csv.QUOTE_NONNUMERIC)
    return text.encode(errors="replace")


def table(rows: pd.DataFrame) -> None:
    """Show rows as a table."""
    seen = rows.map(lambda cell: visible(cell) if isinstance(cell, str) else cell)
    st.dataframe(seen, hide_index=True, width="stretch")


def small(text: str) -> None:
    """Write small text; Streamlit's own captions are too pale for many eyes (WCAG 1.4.3)."""
    st.markdown(f":small[{text}]")


def _document(document: Document, caption: str) -> None:
    if document.text:
        with st.expander("Read it"):
            st.markdown(guarded(document.text))
    else:
        st.info("This report was not made yet; the link below says what makes it.")
    small(caption)


def _picture(picture: Picture, caption: str, *, key: str) -> None:
    if picture.is_empty:
        st.info(picture.empty)
        small(caption)
        return
    if picture.chart is None:
        table(picture.rows)
    else:
        st.altair_chart(picture.chart, width="stretch", theme=None)
    if picture.note:
        small(guarded(picture.note))
    small(caption)
    if picture.chart is not None:
        with st.expander("The table"):
            table(picture.rows)
    st.download_button(
        "Download as CSV",
        as_csv(picture.rows),
        picture.file_name,
        "text/csv",
        key=key,
    )
