"""On AWS due messages go to a queue, each under its id, once by claims in DynamoDB."""

import json

import pytest

from engagement_assets.decisions.contact.delivery import deliver
from engagement_assets_tests.aws.cloud import REGION
from engagement_assets_tests.decisions.outboxes import NOON, present
from resources.aws.delivery import QueueDelivery

NAMES = ("ann", "bob")


def received(cloud, url):
    actual = cloud.client("sqs").receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
    )
    return actual.get("Messages", [])


@pytest.mark.parametrize("fifo", [False, True])
def test_a_message_is_one_of_the_queue(installed, fifo):
    ordered = {"FifoQueue": "true"} if fifo else {}
    name = f"contact-{installed.bucket}{'.fifo' if fifo else ''}"
    url = installed.client("sqs").create_queue(QueueName=name, Attributes=ordered)["QueueUrl"]
    delivery = QueueDelivery(queue=url, table=installed.online_table, region=REGION)
    of = present(NAMES)
    for sent in (2, 0):
        done = deliver(of, delivery.channel, delivery.claims(), clock=lambda: NOON)
        assert (done.sent, done.elsewhere) == (sent, 2 - sent)
    messages = received(installed, url)
    bodies = [json.loads(message["Body"]) for message in messages]
    assert {body["customer_id"] for body in bodies} == set(NAMES)
    for message, body in zip(messages, bodies, strict=True):
        assert message["MessageAttributes"]["message_id"]["StringValue"] == body["message_id"]


def test_a_queue_that_is_not_there_leaves_messages_to_the_next_pass(installed):
    gone = installed.servers.endpoint + "/123456789012/gone"
    delivery = QueueDelivery(queue=gone, table=installed.online_table, region=REGION)
    of = present(NAMES)
    for _ in range(2):
        done = deliver(of, delivery.channel, delivery.claims(), clock=lambda: NOON)
        assert (done.sent, done.refused) == (0, 2)
    assert QueueDelivery(table="t", region=REGION).channel is None
