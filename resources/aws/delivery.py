"""Messages to customers by an SQS queue, with claims in the table of the online store.

Belongs here: how a message becomes one of SQS. Does not belong here: which messages may go
(`engagement_assets.decisions.contact`).
"""

import json
from functools import partial
from time import sleep

from pydantic import Field

from resources.aws.claims import DynamoDBClaims
from resources.channels import Channel, NotSentError
from resources.claims import LEASE_SECONDS, Claims
from resources.delivery import MESSAGE_ID, DeliveryResource
from resources.online_store.dynamodb_requests import Requests, make_client

FIFO = ".fifo"


class Queue(Channel):
    """Sends each message as JSON to a queue; one whose name ends in `.fifo` orders by customer."""

    name = "queue"

    def __init__(self, url: str, *, region: str) -> None:
        self.url, self.region = url, region

    def send(self, alert: dict) -> None:
        """Send one message."""
        from resources.aws.clients import aws_call, client  # noqa: PLC0415 - loads boto3
        from resources.aws.errors import AwsError  # noqa: PLC0415 - loads boto3

        name = str(alert[MESSAGE_ID])
        # within five minutes SQS itself drops a second one of the same id
        ordered = (
            {"MessageDeduplicationId": name, "MessageGroupId": str(alert["customer_id"])}
            if self.url.endswith(FIFO)
            else {}
        )
        try:
            with aws_call(f"sending a message to {self.url}"):
                client("sqs", self.region).send_message(
                    QueueUrl=self.url,
                    MessageBody=json.dumps(alert),
                    MessageAttributes={MESSAGE_ID: {"DataType": "String", "StringValue": name}},
                    **ordered,
                )
        except AwsError as error:
            raise NotSentError(str(error), answers=bool(error.code)) from error


class QueueDelivery(DeliveryResource):
    """An SQS queue, with claims in DynamoDB."""

    queue: str = Field(default="", description="URL of the SQS queue; empty for nowhere.")
    table: str = Field(description="DynamoDB table of the claims, that of the online store.")
    region: str = Field(description="Region of both.")

    @property
    def channel(self) -> Channel | None:
        """The queue."""
        return Queue(self.queue, region=self.region) if self.queue else None

    def claims(self, lease_seconds: float = LEASE_SECONDS) -> Claims:
        """The claims."""
        return DynamoDBClaims(
            Requests(
                self.table,
                partial(make_client, region=self.region),
                threads=1,
                attempts=5,
                sleep=sleep,
            ),
            lease_seconds=lease_seconds,
        )
