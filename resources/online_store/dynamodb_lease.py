"""The lease as one item of a DynamoDB table.

Belongs here: its reads and conditional writes. Does not belong here: who takes it and when
(`lease.py`).
"""

from typing import Any

from resources.online_store.dynamodb_requests import (
    CONFLICT,
    ConditionError,
    Requests,
    number,
    text,
)
from resources.online_store.lease import Lease

LEASE = "meta#lease"


class DynamoDBLeaseCell:
    """The lease as one item; see `LeaseCell`."""

    def __init__(self, requests: Requests) -> None:
        self._requests = requests

    def read(self) -> Lease | None:
        """The lease, or None."""
        item = self._requests.item(LEASE)
        if item is None:
            return None
        return Lease(item["owner"]["S"], item["token"]["S"], int(item["beat"]["N"]))

    def take(self, lease: Lease, *, instead_of: Lease | None) -> bool:
        """Write a lease if what is there still equals `instead_of`."""
        about: dict[str, Any] = {
            "ConditionExpression": "attribute_not_exists(#key)",
            "ExpressionAttributeNames": {"#key": "key"},
        }
        if instead_of is not None:
            about = {
                "ConditionExpression": "#token = :token AND beat = :beat",
                "ExpressionAttributeNames": {"#token": "token"},
                "ExpressionAttributeValues": {
                    ":token": text(instead_of.token),
                    ":beat": number(instead_of.beat),
                },
            }
        item = {
            "key": text(LEASE),
            "owner": text(lease.owner),
            "token": text(lease.token),
            "beat": number(lease.beat),
        }
        return self._done("put_item", Item=item, **about)

    def beat(self, token: str) -> bool:
        """Move the beat on if the token is still there."""
        return self._done(
            "update_item",
            Key={"key": text(LEASE)},
            UpdateExpression="SET beat = beat + :one",
            ConditionExpression="#token = :token",
            ExpressionAttributeNames={"#token": "token"},
            ExpressionAttributeValues={":token": text(token), ":one": number(1)},
        )

    def give_back(self, token: str) -> None:
        """Remove the lease if the token is still there."""
        self._done(
            "delete_item",
            Key={"key": text(LEASE)},
            ConditionExpression="#token = :token",
            ExpressionAttributeNames={"#token": "token"},
            ExpressionAttributeValues={":token": text(token)},
        )

    def _done(self, operation: str, **arguments: Any) -> bool:
        try:
            self._requests.call(operation, again_on=CONFLICT, **arguments)
        except ConditionError:
            return False
        return True
