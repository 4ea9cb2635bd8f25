"""Names and texts of others, as they may stand on a page or in a report.

Whoever names a customer, a segment or an experiment writes on the page of somebody with a role. The
dashboard's pages (Streamlit) and the reports of assets (Dagster's UI) take Markdown, with links of
bare addresses, and the first also formulas between `$`, colours and icons; none of that may come
from data. Belongs here: what a text becomes. Does not belong here: where it stands (`markdown.py`
for reports, `engagement_assets.dashboard`).
"""

import re

# Control characters, marks that turn the direction of what follows, invisible ones, and halves of
# characters, which no encoding takes. Joiners stay: Persian, Hindi and emoji are written with them.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff"
    "\ud800-\udfff]"
)
_PLOT = re.compile(r"(!\[[^\]\n]*\]\(data:image/png;base64,[A-Za-z0-9+/=]+\))")
# A mark that nobody sees breaks what Markdown would read. A backslash does not suffice: addresses
# and icons are looked for once more in the text that was read.
_BREAK = "\u2060"
_SYNTAX = re.compile(
    # links, pictures and their definitions, also with what may follow a text; tags and addresses
    # between angles
    r"(?<=\])(?=[(:\[]|\Z)|(?<=<)(?=[A-Za-z/!?])"
    # `https:`, `:red[…]`, `:material/…:`, `www.`, `who@where`
    r"|(?<=:)(?=[A-Za-z/+_-])|(?<=www)(?=\.)|(?<=@)(?=[\w-])",
    re.IGNORECASE,
)
_DOLLAR = re.compile(r"(?<!\\)((?:\\\\)*)\$")
_PUNCTUATION = re.compile(r"([\\`*_\[\]<>$~|&])")
# a heading, a list or a quotation begins a line
_BEGINNING = re.compile(r"^(\d*)([#+\-.)=])")


def one_line(text: object) -> str:
    """Return a text on one line: line breaks and tabs become spaces."""
    return " ".join(str(text).split())


def visible(text: str) -> str:
    """Return a text in which what nobody sees, or what turns the rest around, is seen as such."""
    return _UNSEEN.sub("\ufffd", text)


def unlinked(markdown: str) -> str:
    """Return Markdown in which nothing makes a link, a picture, a tag, a formula or a colour.

    One that is unlinked already stays as it is.
    """
    parted = _SYNTAX.sub(_BREAK, visible(markdown.replace(_BREAK, "")))
    return _DOLLAR.sub(r"\1\\$", parted)


def guarded(markdown: str) -> str:
    """Return a text of this product `unlinked`, but for its plots, which are data URIs."""
    parts = _PLOT.split(markdown)
    for number in range(0, len(parts), 2):
        parts[number] = unlinked(parts[number])
    return "".join(parts)


def plain(text: str) -> str:
    """Return Markdown that shows a text as it is, on one line."""
    escaped = _PUNCTUATION.sub(r"\\\1", _SYNTAX.sub(_BREAK, one_line(visible(text))))
    return _BEGINNING.sub(r"\1\\\2", escaped)
