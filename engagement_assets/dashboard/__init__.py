"""The dashboard: pictures of what the lake holds, for people who ask why.

Belongs here: pages, who may see which, and how a picture is shown. A page is a pure module in
`views` that reads tables and makes pictures; only `app.py` and `showing.py` know Streamlit. Does
not belong here: anything that is computed for another reader than a person. Nothing is written but
verdicts of reviewers, by the desk of `governance.review`.

A folder `pages` beside `app.py` would be served by Streamlit itself, without asking who looks.
"""
