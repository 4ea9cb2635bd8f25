"""Claims in a DynamoDB table whose key is the text attribute `key`: that of the online store.

Belongs here: a claim as an item, with the conditions under which it is taken. Does not belong here:
what a claim is (`resources.claims`) and requests (`resources.online_store.dynamodb_requests`).
"""

import uuid
from collections.abc import Callable, Sequence
from time import time

from resources.claims import (
    DAY_SECONDS,
    KEPT_DAYS,
    LEASE_SECONDS,
    Claim,
    Claims,
    ClaimsError,
    mentioning,
)
from resources.online_store.dynamodb_requests import ConditionError, Requests, number, text
from resources.online_store.releases import OnlineStoreError
from resources.subjects import Subjects

PREFIX = "claim#"


class DynamoDBClaims(Claims):
    """Claims in one table, for any number of machines."""

    def __init__(
        self,
        requests: Requests,
        *,
        lease_seconds: float = LEASE_SECONDS,
        clock: Callable[[], float] = time,
    ) -> None:
        super().__init__(lease_seconds=lease_seconds, clock=clock)
        self.requests = requests

    def claim(self, key: str, content: str, *, settled: bool = False) -> Claim | None:
        """Claim a key; see `Claims`."""
        now, token = self.clock(), uuid.uuid4().hex
        done = {":yes": {"BOOL": True}} if settled else {}
        try:
            answer = self.requests.call(
                "update_item",
                Key={"key": text(f"{PREFIX}{key}")},
                ConditionExpression="attribute_not_exists(#key) OR "
                "(attribute_not_exists(settled) AND held_until <= :now)",
                UpdateExpression="SET content = if_not_exists(content, :content), #token = :token, "
                "held_until = :until, expires_at = :expires"
                + (", settled = :yes" if settled else ""),
                ExpressionAttributeNames={"#key": "key", "#token": "token"},
                ExpressionAttributeValues={
                    ":now": number(now),
                    ":content": text(content),
                    ":token": text(token),
                    ":until": number(now + self.lease_seconds),
                    ":expires": number(now + KEPT_DAYS * DAY_SECONDS),
                    **done,
                },
                ReturnValues="ALL_NEW",
            )
        except ConditionError:
            return None
        except OnlineStoreError as error:
            raise ClaimsError(f"{error}; nothing was done") from error
        return Claim(key, answer["Attributes"]["content"]["S"], token)

    def settled(self, keys: Sequence[str]) -> dict[str, str]:
        """Return the contents of the keys whose work is done."""
        try:
            items = self.requests.items([f"{PREFIX}{key}" for key in keys], consistent=True)
        except OnlineStoreError as error:
            raise ClaimsError(str(error)) from error
        return {
            name.removeprefix(PREFIX): item["content"]["S"]
            for name, item in items.items()
            if "settled" in item
        }

    def about(self, subjects: Subjects) -> list[str]:
        """Return the keys of the claims that mention some people."""
        try:
            rows = [
                (item["key"]["S"].removeprefix(PREFIX), item["content"]["S"])
                for item in self.requests.scan(
                    "#key, content",
                    FilterExpression="begins_with(#key, :claim)",
                    ExpressionAttributeValues={":claim": text(PREFIX)},
                )
            ]
        except OnlineStoreError as error:
            raise ClaimsError(str(error)) from error
        return mentioning(subjects, rows)

    def erase(self, keys: Sequence[str]) -> None:
        """Remove claims."""
        try:
            self.requests.delete_all(f"{PREFIX}{key}" for key in keys)
        except OnlineStoreError as error:
            raise ClaimsError(str(error)) from error

    def release(self, claim: Claim) -> None:
        """Give a claim back, unless another has taken it over."""
        try:
            self.requests.call(
                "update_item",
                Key={"key": text(f"{PREFIX}{claim.key}")},
                ConditionExpression="#token = :token",
                UpdateExpression="SET held_until = :now",
                ExpressionAttributeNames={"#token": "token"},
                ExpressionAttributeValues={
                    ":token": text(claim.token),
                    ":now": number(self.clock()),
                },
            )
        except ConditionError:
            return
        except OnlineStoreError as error:
            raise ClaimsError(str(error)) from error

    def settle(self, claim: Claim) -> None:
        """Mark a claim's work as done, whoever holds it by now."""
        try:
            self.requests.call(
                "update_item",
                Key={"key": text(f"{PREFIX}{claim.key}")},
                UpdateExpression="SET settled = :yes",
                ExpressionAttributeValues={":yes": {"BOOL": True}},
            )
        except OnlineStoreError as error:
            raise ClaimsError(str(error)) from error
