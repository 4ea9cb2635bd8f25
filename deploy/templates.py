"""The CloudFormation templates: in which order they stand, and how they are read.

Belongs here: reading a template as data. Does not belong here: deploying it (`stacks.py`) and what
must hold of it (the tests).
"""

from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent / "cloudformation"
# Each takes what those before it put out.
ORDER = (
    "foundation",
    "storage",
    "network",
    "database",
    "platform",
    "services",
    "api",
    "texts",
    "dashboard",
    "budget",
    "alarms",
)


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short forms, written out: `!Ref X` becomes `{"Ref": "X"}`."""


def _short_form(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    name = suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        return {name: value.split(".", 1) if suffix == "GetAtt" else value}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    assert isinstance(node, yaml.MappingNode)  # noqa: S101 - YAML has three kinds of node
    return {name: loader.construct_mapping(node, deep=True)}


_Loader.add_multi_constructor("!", _short_form)


def path(name: str) -> Path:
    """File of a template."""
    return FOLDER / f"{name}.yaml"


def read(name: str) -> dict[str, Any]:
    """A template as data, short forms written out."""
    return yaml.load(path(name).read_text(), Loader=_Loader)  # noqa: S506 - a SafeLoader
