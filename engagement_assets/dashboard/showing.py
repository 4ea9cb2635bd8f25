"""A picture on a page of Streamlit, with what stands beside it.

Belongs here: how every picture is shown. Does not belong here: which (`views/`).
"""

from collections.abc import Iterable

import streamlit as st

from engagement_assets.dashboard.pictures import Picture


def show(pictures: Iterable[Picture], *, dagster: str) -> None:
    """Show pictures below each other, so that a phone's width is enough."""
    for number, picture in enumerate(pictures):
        with st.container(border=True):
            st.subheader(picture.title, anchor=False)
            if picture.is_empty:
                st.info(picture.empty)
            elif picture.chart is None:
                st.dataframe(picture.rows, hide_index=True, width="stretch")
            else:
                st.altair_chart(picture.chart, width="stretch", theme=None)
            if picture.note and not picture.is_empty:
                st.caption(picture.note)
            st.caption(f"{picture.caption} · [open in Dagster]({picture.asset_url(dagster)})")
            if picture.is_empty:
                continue
            if picture.chart is not None:
                with st.expander("The table"):
                    st.dataframe(picture.rows, hide_index=True, width="stretch")
            st.download_button(
                "Download as CSV",
                picture.rows.to_csv(index=False).encode(),
                picture.file_name,
                "text/csv",
                key=f"download-{number}-{picture.title}",
            )
