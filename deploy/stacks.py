"""Deploy the stacks in order, handing the outputs of each to the parameters of the next.

    python -m deploy.stacks deploy --project engagement --set AlertEmail=data@example.org
    python -m deploy.stacks deploy --project engagement --only services --set PlatformImage=...
    python -m deploy.stacks outputs --project engagement

An output and a parameter of the same name are the same thing, so nothing is copied by hand. What
an update is not told stays as it was. Belongs here: creating and updating stacks. Does not belong
here: what is in them (`cloudformation/`).
"""

import argparse
import os
import sys
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import boto3
from botocore.exceptions import ClientError, WaiterError

from deploy import templates

# Deleting one of these by mistake would be a loss; AWS asks twice.
PROTECTED = ("foundation", "storage", "database")
SECONDS_BETWEEN_LOOKS = 5


class StackError(RuntimeError):
    """A stack cannot be deployed; the message says which and why."""


class Stacks:
    """The stacks of one project, whose name begins the name of each."""

    def __init__(self, client: Any, project: str) -> None:
        self._client = client
        self._project = project

    def outputs(self) -> dict[str, str]:
        """The outputs of every stack of the project that stands."""
        outputs: dict[str, str] = {}
        for name in templates.ORDER:
            stack = self._find(name)
            for output in stack.get("Outputs", []) if stack else []:
                outputs[output["OutputKey"]] = output["OutputValue"]
        return outputs

    def deploy(
        self, given: Mapping[str, str], *, only: Collection[str] = (), without: Collection[str] = ()
    ) -> list[str]:
        """Create or update stacks in order; returns those that changed.

        Args:
            given: Parameters by name, for every template that has them; they win over outputs.
            only: Stacks to deploy; all when empty.
            without: Stacks to leave out, such as the network where there is one already.

        Raises:
            StackError: A parameter is unknown or missing, or AWS refused a stack.
        """
        chosen = [
            name for name in templates.ORDER if name not in without and (not only or name in only)
        ]
        known = {parameter for name in chosen for parameter in self._parameters(name)}
        unknown = sorted(set(given) - known)
        if unknown:
            raise StackError(f"{', '.join(unknown)}: no parameter of {', '.join(chosen)}")
        return [name for name in chosen if self._deploy_one(name, given)]

    def _deploy_one(self, name: str, given: Mapping[str, str]) -> bool:
        stack = self._find(name)
        arguments = {
            "StackName": self._name(name),
            "TemplateBody": templates.path(name).read_text(),
            "Parameters": self._values(name, given, stack),
            "Capabilities": ["CAPABILITY_NAMED_IAM"],
            "Tags": [{"Key": "project", "Value": self._project}],
        }
        if stack is None:
            self._client.create_stack(**arguments, EnableTerminationProtection=name in PROTECTED)
            self._wait(name, "stack_create_complete")
            return True
        try:
            self._client.update_stack(**arguments)
        except ClientError as error:
            if "No updates are to be performed" in str(error):
                return False
            raise StackError(f"{self._name(name)}: {error}") from error
        self._wait(name, "stack_update_complete")
        return True

    def _values(
        self, name: str, given: Mapping[str, str], stack: Mapping[str, Any] | None
    ) -> list[dict[str, Any]]:
        before = {p["ParameterKey"] for p in stack.get("Parameters", [])} if stack else set()
        available = {**self.outputs(), **given, "Project": self._project}
        values: list[dict[str, Any]] = []
        missing = []
        for parameter, declared in self._parameters(name).items():
            if parameter in available:
                values.append({"ParameterKey": parameter, "ParameterValue": available[parameter]})
            elif parameter in before:
                values.append({"ParameterKey": parameter, "UsePreviousValue": True})
            elif "Default" not in declared:
                missing.append(f"{parameter} ({declared['Description']})")
        if missing:
            raise StackError(f"{self._name(name)} needs --set {'; '.join(missing)}")
        return values

    def _wait(self, name: str, waiter: str) -> None:
        config = {"Delay": SECONDS_BETWEEN_LOOKS, "MaxAttempts": 720}
        try:
            self._client.get_waiter(waiter).wait(StackName=self._name(name), WaiterConfig=config)
        except WaiterError as error:
            events = self._client.describe_stack_events(StackName=self._name(name))["StackEvents"]
            reasons = [
                f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', 'no reason')}"
                for event in reversed(events)
                if event["ResourceStatus"].endswith("FAILED")
            ]
            raise StackError(f"{self._name(name)}: {'; '.join(reasons) or error}") from error

    def _find(self, name: str) -> dict[str, Any] | None:
        try:
            return self._client.describe_stacks(StackName=self._name(name))["Stacks"][0]
        except ClientError as error:
            if error.response["Error"]["Code"] == "ValidationError":
                return None
            raise

    def _name(self, name: str) -> str:
        return f"{self._project}-{name}"

    @staticmethod
    def _parameters(name: str) -> dict[str, Any]:
        return templates.read(name).get("Parameters", {})


def parse_values(pairs: Sequence[str]) -> dict[str, str]:
    """Parameters from `NAME=VALUE`.

    Raises:
        StackError: One has no `=`.
    """
    values = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise StackError(f"--set {pair}: expected NAME=VALUE")
        values[name] = value
    return values


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m deploy.stacks", description=__doc__)
    parser.add_argument("command", choices=("deploy", "outputs"))
    parser.add_argument("--project", default="engagement")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--only", nargs="+", default=[], choices=templates.ORDER)
    parser.add_argument("--without", nargs="+", default=[], choices=templates.ORDER)
    options = parser.parse_args(arguments)
    # boto3 reads AWS_DEFAULT_REGION alone
    client = boto3.client("cloudformation", region_name=os.environ.get("AWS_REGION"))
    stacks = Stacks(client, options.project)
    try:
        if options.command == "deploy":
            changed = stacks.deploy(
                parse_values(options.set), only=options.only, without=options.without
            )
            print("changed:", ", ".join(changed) or "nothing")
        for name, value in stacks.outputs().items():
            print(f"{name}={value}")
    except StackError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
