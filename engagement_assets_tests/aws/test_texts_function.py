"""The function that reads texts from a queue asks AWS for nothing that its role does not allow."""

import json
from fnmatch import fnmatchcase
from typing import Any
from unittest.mock import patch

import pytest
from aiobotocore.client import AioBaseClient
from botocore.client import BaseClient
from upath import UPath

from engagement_assets.deployments import texts_handler
from engagement_assets.learning.text.sentiment import SentimentModel
from engagement_assets.signals.sentiment import resource
from engagement_assets.signals.sentiment.versions import NAME
from engagement_assets.source.contract import TABLES
from engagement_assets.source.versions import REVISIONS
from engagement_assets_tests.aws.cloud import FIRST_DAY, Cloud
from engagement_assets_tests.deploy.resolved import Resolver
from engagement_assets_tests.signals.sentiment.test_consent import Recorder, add, consent, noon
from resources.registry import ModelRegistry

# Operations whose right has another name.
RIGHTS = {
    "s3:HeadObject": "s3:GetObject",
    "s3:DeleteObjects": "s3:DeleteObject",
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:ListObjects": "s3:ListBucket",
}
Call = tuple[str, dict[str, Any]]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[Call]:
    """(right, parameters) of every call to AWS, and of those that Athena makes as the caller."""
    made: list[Call] = []
    for kind in (BaseClient, AioBaseClient):
        original = kind._make_api_call

        def record(self: Any, operation: str, given: Any, original: Any = original) -> Any:
            action = f"{self.meta.service_model.service_name}:{operation}"
            made.append((RIGHTS.get(action, action), given))
            return original(self, operation, given)

        monkeypatch.setattr(kind, "_make_api_call", record)
    return made


def targets(action: str, given: dict[str, Any], cloud: Cloud) -> list[str]:
    """What a call is about, as a policy's resource or condition names it."""
    if action == "s3:ListBucket":
        return [given["Prefix"]]
    if action.startswith("s3:"):
        objects = given["Delete"]["Objects"] if "Delete" in given else [given]
        return [f"arn:aws:s3:::{cloud.bucket}/{one['Key']}" for one in objects]
    if action.startswith("dynamodb:"):
        items = given["RequestItems"].values() if "RequestItems" in given else []
        keys = [key for wanted in items for key in wanted["Keys"]] or [given["Key"]]
        return [key["key"]["S"] for key in keys]
    if action == "glue:GetTable":
        return [f"{given['DatabaseName']}/{given['Name']}"]
    return []


def allows(statement: dict[str, Any], action: str, target: str | None) -> bool:
    """Whether a statement allows an action on what it is about."""
    actions, resources = (
        value if isinstance(value, list) else [value]
        for value in (statement["Action"], statement["Resource"])
    )
    if action not in actions:
        return False
    conditions = [
        pattern
        for condition in statement.get("Condition", {}).values()
        for patterns in condition.values()
        for pattern in patterns
    ]
    if target is None:
        return True
    if action.startswith("glue:"):
        return any(resource.endswith(f":table/{target}") for resource in resources)
    return any(fnmatchcase(target, pattern) for pattern in conditions or resources)


def test_a_batch_of_texts_needs_the_rights_of_the_role_alone(
    installed: Cloud, calls: list[Call], monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    day, first = FIRST_DAY, {"signed_up_at": noon(FIRST_DAY), "recorded_at": noon(FIRST_DAY)}
    add(
        installed.lake, "customers", day, [{"customer_id": name} | first for name in ("ann", "bob")]
    )
    add(installed.lake, "consents", day, [consent("ann", True) | {"consent_id": "1"}])
    (tmp_path / "weights").write_text("none")
    registry = ModelRegistry(
        UPath(f"s3://{installed.bucket}/platform/registry", **installed.storage)
    )
    registry.promote(NAME, registry.register(NAME, tmp_path, {}), "the test")
    for table in (TABLES["consents"], TABLES["customers"], TABLES["customer_merges"], REVISIONS):
        installed.tables.ensure(table)
    settings = {"ENGAGEMENT_SETTINGS": json.dumps({"first_day": day.isoformat()})}
    for name, value in installed.environment(**settings).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("ENGAGEMENT_HOME", str(tmp_path / "nothing"))

    def message(name: str, customer: str, score: float) -> dict[str, str]:
        text = {"source_table": "posts", "row_id": name, "customer_id": customer}
        body = {"texts": [text | {"text": f"says {score}"}]}
        return {"messageId": name, "body": json.dumps(body)}

    texts_handler._events.cache_clear()
    resource._loaded.cache_clear()
    calls.clear()
    records = [message("a", "ann", -0.9), message("b", "bob", -0.9), message("c", "ann", 0.5)]
    with patch.object(SentimentModel, "load", lambda *_, **__: Recorder()):
        try:
            answer = texts_handler.handler({"Records": records}, None)
        finally:
            texts_handler._events.cache_clear()
            resource._loaded.cache_clear()
    assert answer == {"batchItemFailures": []}
    (told,) = installed.told()
    assert json.loads(told)["text_id"] == "posts/a"

    role = Resolver(
        "texts",
        {
            "BucketArn": f"arn:aws:s3:::{installed.bucket}",
            "Prefix": "platform",
            "GlueDatabaseName": installed.database,
        },
    ).resources()["TextsRole"]["Properties"]
    statements = role["Policies"][0]["PolicyDocument"]["Statement"]
    refused = {
        (action, target)
        for action, given in calls
        if not action.startswith("sqs:")
        for target in targets(action, given, installed) or [None]
        if not any(allows(statement, action, target) for statement in statements)
    }
    assert refused == set()
    used = {action for action, _ in calls}
    assert used >= {"sns:Publish", "dynamodb:UpdateItem", "athena:StartQueryExecution"}
