"""A secret is one JSON object, read again after a few minutes, and never shown in an error."""

import pytest

from engagement_assets_tests.aws.cloud import REGION, Cloud
from resources.aws import secrets
from resources.aws.errors import AwsError
from resources.aws.secrets import KEPT_SECONDS, read_secret


@pytest.fixture(autouse=True)
def _none_kept():
    secrets._ANSWERS.clear()


def change(cloud: Cloud, text: str) -> None:
    cloud.client("secretsmanager").put_secret_value(SecretId=cloud.secret, SecretString=text)


def test_a_secret_is_kept_for_five_minutes(installed, monkeypatch):
    now = 1000.0
    monkeypatch.setattr(secrets.time, "monotonic", lambda: now)
    assert read_secret(installed.secret, region=REGION) == {"signing_key": "very secret"}
    change(installed, '{"signing_key": "another"}')
    now += KEPT_SECONDS - 1
    assert read_secret(installed.secret, region=REGION) == {"signing_key": "very secret"}
    now += 2
    assert read_secret(installed.secret, region=REGION) == {"signing_key": "another"}


def test_a_secret_may_be_asked_for_anew(installed):
    read_secret(installed.secret, region=REGION)
    change(installed, '{"signing_key": "another"}')
    assert read_secret(installed.secret, region=REGION, kept_seconds=0)["signing_key"] == "another"


@pytest.mark.usefixtures("installed")
def test_a_missing_secret_is_named():
    with pytest.raises(AwsError, match=f"reading the secret nowhere: there is none .* {REGION}"):
        read_secret("nowhere", region=REGION)


@pytest.mark.parametrize("text", ["hunter2", '["hunter2"]'])
def test_a_secret_that_is_no_json_object_is_refused_and_not_shown(installed, text):
    change(installed, text)
    with pytest.raises(AwsError, match=r"not JSON|is a JSON list, not an object") as caught:
        read_secret(installed.secret, region=REGION)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None
