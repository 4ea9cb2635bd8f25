"""CloudFormation's functions, worked out with given values, so that a test sees what AWS would see.

Belongs here: `Ref`, `GetAtt`, `Sub`, `Join`, `Split`, `Select`, `If`, `FindInMap`, `Equals`, `Not`.
Does not belong here: what must hold of a template.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from deploy import templates

PSEUDO = {
    "AWS::AccountId": "123456789012",
    "AWS::Region": "us-east-1",
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
}
NOTHING = object()


class Resolver:
    """Works out a template's functions; what only AWS knows stays as `<Resource.Attribute>`."""

    def __init__(self, name: str, given: Mapping[str, Any]) -> None:
        self._template = templates.read(name)
        declared = self._template.get("Parameters", {})
        defaults = {key: value["Default"] for key, value in declared.items() if "Default" in value}
        own = {key: value for key, value in given.items() if key in declared}
        self._values = {
            **{key: f"<{key}>" for key in declared},
            **defaults,
            **own,
            **PSEUDO,
            "AWS::NoValue": NOTHING,
        }

    def resources(self) -> dict[str, dict[str, Any]]:
        """Every resource whose condition holds."""
        return {
            name: self._work_out(resource)
            for name, resource in self._template["Resources"].items()
            if "Condition" not in resource or self._holds(resource["Condition"])
        }

    def outputs(self) -> dict[str, Any]:
        """Every output whose condition holds."""
        return {
            name: self._work_out(output["Value"])
            for name, output in self._template["Outputs"].items()
            if "Condition" not in output or self._holds(output["Condition"])
        }

    def _holds(self, name: str) -> bool:
        return bool(self._work_out(self._template["Conditions"][name]))

    def _work_out(self, node: Any) -> Any:
        if isinstance(node, list):
            return [value for item in node if (value := self._work_out(item)) is not NOTHING]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            ((name, argument),) = node.items()
            function = getattr(self, "_" + name.removeprefix("Fn::").lower(), None)
            if (name == "Ref" or name.startswith("Fn::")) and function:
                return function(argument)
        worked = {key: self._work_out(value) for key, value in node.items()}
        return {key: value for key, value in worked.items() if value is not NOTHING}

    def _ref(self, name: str) -> Any:
        return self._values.get(name, f"<{name}>")

    def _getatt(self, argument: list[str]) -> str:
        return f"<{'.'.join(argument)}>"

    def _sub(self, text: str) -> str:
        return re.sub(r"\$\{([^}]+)\}", lambda match: str(self._ref(match[1])), text)

    def _join(self, argument: list[Any]) -> str:
        return argument[0].join(self._work_out(argument[1]))

    def _split(self, argument: list[Any]) -> list[str]:
        return self._work_out(argument[1]).split(argument[0])

    def _select(self, argument: list[Any]) -> Any:
        return self._work_out(argument[1])[argument[0]]

    def _if(self, argument: list[Any]) -> Any:
        return self._work_out(argument[1] if self._holds(argument[0]) else argument[2])

    def _equals(self, argument: list[Any]) -> bool:
        left, right = self._work_out(argument)
        return left == right

    def _not(self, argument: list[Any]) -> bool:
        return not self._work_out(argument[0])

    def _findinmap(self, argument: list[Any]) -> Any:
        name, first, second = self._work_out(argument)
        return self._template["Mappings"][name][first][second]


def every_resource() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(template, name, resource) of everything, whatever its condition."""
    for template in templates.ORDER:
        for name, resource in templates.read(template)["Resources"].items():
            yield template, name, resource


def of_type(kind: str) -> list[tuple[str, dict[str, Any]]]:
    """(name, properties) of every resource of a type."""
    return [
        (name, resource["Properties"])
        for _, name, resource in every_resource()
        if resource["Type"] == kind
    ]
