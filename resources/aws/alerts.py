"""Alerts to an SNS topic.

Belongs here: how an alert becomes a message. Does not belong here: finding what failed
(`resources.alerts`).
"""

import json
from collections.abc import Sequence

from pydantic import Field

from resources.alerts import AlertSink
from resources.channels import Channel, NotSentError

# What SNS takes, and what is left of a text that is longer.
LONGEST_MESSAGE = 256 * 1024
LONGEST_TEXT = 200_000
LONGEST_SUBJECT = 99


class Topic(Channel):
    """Publishes each alert as JSON, with its kind and severity as attributes to filter by."""

    name = "topic"

    def __init__(self, arn: str, *, region: str) -> None:
        self.arn, self.region = arn, region

    def send(self, alert: dict) -> None:
        """Publish one alert."""
        from resources.aws.clients import aws_call, client  # noqa: PLC0415 - loads boto3
        from resources.aws.errors import AwsError  # noqa: PLC0415 - loads boto3

        try:
            with aws_call(f"publishing an alert to {self.arn}"):
                client("sns", self.region).publish(
                    TopicArn=self.arn,
                    Subject=subject(alert),
                    Message=message(alert),
                    MessageAttributes={
                        name: {"DataType": "String", "StringValue": str(alert[name])}
                        for name in ("kind", "severity")
                    },
                )
        except AwsError as error:
            # an answer of AWS about this one alert; without a code nobody answered
            raise NotSentError(str(error), answers=bool(error.code)) from error


def subject(alert: dict) -> str:
    """A subject as SNS takes it: ASCII, one line, under a hundred characters."""
    about = alert.get("asset") or "run"
    text = f"{alert['severity']}: {about} {alert.get('check', '')}".strip()
    return text.encode("ascii", "replace").decode().replace("\n", " ")[:LONGEST_SUBJECT]


def message(alert: dict) -> str:
    """An alert as JSON that SNS takes; a longer text is cut and says so."""
    text = json.dumps(alert)
    if len(text.encode()) <= LONGEST_MESSAGE:
        return text
    # bytes as JSON writes them, in which any character takes at most six times its length
    cut = str(alert["message"])[: LONGEST_TEXT // 6]
    return json.dumps({**alert, "message": f"{cut} … (cut; the log has the whole text)"})


class TopicAlertSink(AlertSink):
    """Alerts in the log on S3, to an SNS topic, and to a webhook where one is set."""

    topic: str = Field(description="ARN of the SNS topic.")
    region: str = Field(description="Its region.")

    def channels(self) -> Sequence[Channel]:
        """The topic besides the webhook."""
        return [Topic(self.topic, region=self.region), *super().channels()]
