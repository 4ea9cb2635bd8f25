"""The examples of docs/learning.md run, from top to bottom, and warn of nothing."""

import re

from engagement_assets_tests.platform.homes import PROJECT

PAGE = "docs/learning.md"
# A fence, but no fence within: each example goes on with the names of those above it.
EXAMPLE = re.compile(r"^```python\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE)


def test_every_example_runs():
    text = (PROJECT / PAGE).read_text()
    examples = list(EXAMPLE.finditer(text))
    assert len(examples) == text.count("```python")
    names: dict[str, object] = {}
    for example in examples:
        # blank lines before it, so that a failure names the line of the page
        code = "\n" * text.count("\n", 0, example.start(1)) + example[1]
        exec(compile(code, PAGE, "exec"), names)  # noqa: S102 - our own page
