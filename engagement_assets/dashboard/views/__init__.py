"""The pages, a pure module each: from a reader of the lake to pictures.

Belongs here: what a page shows. Does not belong here: Streamlit, and who may see a page.
"""
