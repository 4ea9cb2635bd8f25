"""On AWS an alert goes to the log on S3 and to the topic, and comes again until it was taken."""

import json

import dagster as dg
import pytest

from engagement_assets_tests.aws.cloud import REGION, Cloud
from resources.aws.alerts import LONGEST_MESSAGE, LONGEST_SUBJECT, TopicAlertSink, message, subject
from resources.channels import Channel, NotSentError

ALERT = {
    "at": "2026-03-01T00:00:00+00:00",
    "id": "1",
    "kind": "check",
    "severity": "ERROR",
    "asset": "source/sessions",
    "check": "keys",
    "message": "two twice",
}


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def sink(cloud: Cloud, topic: str | None = None) -> TopicAlertSink:
    return TopicAlertSink(
        log_path=f"s3://{cloud.bucket}/platform/alerts",
        options=cloud.storage,
        topic=topic or cloud.topic,
        region=REGION,
    )


def fail(instance: dg.DagsterInstance, said: str) -> None:
    instance.report_runless_asset_event(
        dg.AssetCheckEvaluation(
            asset_key=dg.AssetKey(["source", "sessions"]),
            check_name="keys",
            passed=False,
            description=said,
            metadata={},
        )
    )


def logged(cloud: Cloud) -> list[str]:
    s3 = cloud.client("s3")
    keys = [key for key in cloud.keys("platform/alerts/") if key.endswith(".jsonl")]
    bodies = [s3.get_object(Bucket=cloud.bucket, Key=key)["Body"].read() for key in keys]
    return [json.loads(line)["message"] for body in bodies for line in body.splitlines()]


def test_a_failed_check_is_logged_and_published_once(installed, instance):
    fail(instance, "two twice")
    assert sink(installed).tell(instance) == 1
    assert sink(installed).tell(instance) == 0
    assert logged(installed) == ["two twice"]
    (told,) = installed.told()
    assert json.loads(told) | {"id": ""} == json.loads(told) | {
        "id": "",
        "kind": "check",
        "severity": "ERROR",
        "asset": "source/sessions",
        "check": "keys",
        "message": "two twice",
    }


def test_the_log_and_its_state_are_encrypted_with_the_key(installed, instance):
    fail(instance, "two twice")
    sink(installed).tell(instance)
    keys = installed.keys("platform/alerts/")
    assert len(keys) == 2
    for key in keys:
        head = installed.client("s3").head_object(Bucket=installed.bucket, Key=key)
        assert head["SSEKMSKeyId"] == installed.kms_key


def test_what_the_topic_did_not_take_is_published_at_the_next_look(installed, instance, caplog):
    fail(instance, "first")
    gone = installed.topic + "-gone"
    assert sink(installed, gone).tell(instance) == 1
    assert "the topic did not take an alert" in caplog.text
    assert installed.told() == []
    fail(instance, "second")
    assert sink(installed).tell(instance) == 1
    assert [json.loads(told)["message"] for told in installed.told()] == ["first", "second"]
    assert sink(installed).tell(instance) == 0
    assert installed.told() == []


def test_an_alert_that_is_too_long_is_cut_and_says_so():
    said = message(ALERT | {"message": "ü" * 400_000})
    assert len(said.encode()) <= LONGEST_MESSAGE
    assert json.loads(said)["message"].endswith("(cut; the log has the whole text)")
    assert message(ALERT) == json.dumps(ALERT)


def test_a_subject_is_one_short_line_of_ascii():
    said = subject(ALERT | {"asset": "größe/" + "x" * 200, "check": "a\nb"})
    assert len(said) == LONGEST_SUBJECT
    assert said.isascii()
    assert "\n" not in said
    assert subject(ALERT) == "ERROR: source/sessions keys"


@pytest.mark.parametrize(("answers", "tried"), [(True, 3), (False, 1)])
def test_a_channel_that_is_down_is_not_waited_for_with_each_alert(answers, tried):
    class Down(Channel):
        name = "drum"
        calls = 0

        def send(self, alert: dict) -> None:  # noqa: ARG002 - nothing is taken
            Down.calls += 1
            raise NotSentError("no", answers=answers)

    assert Down().send_all([ALERT] * 3) == [ALERT] * 3
    assert Down.calls == tried
