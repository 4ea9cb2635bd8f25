"""Requests to one DynamoDB table: again where it throttles, and errors in words.

Belongs here: what DynamoDB may answer. Does not belong here: what the items mean (`dynamodb.py`).
"""

import itertools
import random
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any

from resources.online_store.releases import OnlineStoreError, ThrottledError

# What DynamoDB takes in one request.
PUT_AT_ONCE = 25
GET_AT_ONCE = 100
LONGEST_WAIT = 10.0
FIRST_WAIT = 0.05
THROTTLED = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "ThrottlingException",
        "Throttling",
        "RequestLimitExceeded",
        "InternalServerError",
        "ServiceUnavailable",
    }
)
# Reasons to cancel a transaction that pass: the lease's own beat at the same time, and capacity.
PASSING = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})
CONFLICT = frozenset({"TransactionConflictException", "TransactionInProgressException"})
WORDS = {
    "ResourceNotFoundException": "there is no table {table} in region {region}; check its name, "
    "the region and the endpoint",
    "AccessDeniedException": "access to table {table} in region {region} is denied; the role needs "
    "dynamodb GetItem, BatchGetItem, PutItem, UpdateItem, DeleteItem, BatchWriteItem and "
    "ConditionCheckItem on it, and Scan to erase customers",
    "UnrecognizedClientException": "the credentials are not valid in region {region}; check "
    "credentials and region",
    "InvalidSignatureException": "the credentials are not valid in region {region}; check the "
    "secret key and this machine's clock",
    "ExpiredTokenException": "the credentials have expired; get new ones and publish again",
    "ExpiredToken": "the credentials have expired; get new ones and publish again",
}


class ConditionError(OnlineStoreError):
    """A write's condition does not hold, so that nothing was written.

    Attributes:
        place: Which of a transaction's writes it is, from 0.
    """

    def __init__(self, message: str, place: int = 0) -> None:
        super().__init__(message)
        self.place = place


def make_client(*, region: str = "", endpoint_url: str = "", connections: int = 10) -> Any:
    """A boto3 client of DynamoDB whose requests fail soon rather than hang.

    Raises:
        OnlineStoreError: There is no region, or the endpoint is no address.
    """
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError

    config = Config(
        retries={"mode": "standard", "total_max_attempts": 3},
        connect_timeout=3,
        read_timeout=5,
        max_pool_connections=connections,
    )
    try:
        return boto3.client(
            "dynamodb",
            region_name=region or None,
            endpoint_url=endpoint_url or None,
            config=config,
        )
    except (BotoCoreError, ValueError) as error:
        raise OnlineStoreError(f"no client of DynamoDB can be made: {error}") from error


def text(value: str) -> dict[str, str]:
    """A text as DynamoDB writes it."""
    return {"S": value}


def number(value: float) -> dict[str, str]:
    """A whole number as DynamoDB writes it."""
    return {"N": str(int(value))}


class Requests:
    """Requests to one table; its client may be what makes one when it is first needed."""

    def __init__(
        self,
        table: str,
        client: Any,
        *,
        threads: int,
        attempts: int,
        sleep: Callable[[float], object],
    ) -> None:
        if threads < 1 or attempts < 1:
            raise ValueError(f"threads and attempts must be 1 or more, got {threads}, {attempts}")
        self.table = table
        self._client = client
        self._threads = threads
        self._attempts = attempts
        self._sleep = sleep
        self._guard = threading.Lock()
        # jitter only spreads requests: nothing that is stored depends on it
        self._random = random.Random()  # noqa: S311 - not for secrets

    @property
    def client(self) -> Any:
        """The client, made when it is first needed."""
        with self._guard:
            if not hasattr(self._client, "batch_write_item"):
                self._client = self._client()
            return self._client

    def item(self, key: str) -> dict[str, Any] | None:
        """One item, as it is now."""
        answer = self.call("get_item", Key={"key": text(key)}, ConsistentRead=True)
        item: dict[str, Any] | None = answer.get("Item")
        return item

    def items(self, keys: Sequence[str], *, consistent: bool) -> dict[str, dict[str, Any]]:
        """Items by key; those that are not there are left out."""
        items: dict[str, dict[str, Any]] = {}
        for start in range(0, len(keys), GET_AT_ONCE):
            asked: Any = {
                self.table: {
                    "Keys": [{"key": text(key)} for key in keys[start : start + GET_AT_ONCE]],
                    "ConsistentRead": consistent,
                }
            }
            for tried in itertools.count(1):
                answer = self.call("batch_get_item", named=False, RequestItems=asked)
                rows = answer["Responses"].get(self.table, [])
                items |= {row["key"]["S"]: row for row in rows}
                asked = answer.get("UnprocessedKeys")
                if not asked:
                    break
                # an answer that is full, of 16 MB, brought something and is no throttling
                if not rows:
                    self._wait(tried, f"{len(asked[self.table]['Keys'])} keys were not read")
        return items

    def scan(self, projection: str, **arguments: Any) -> Iterator[dict[str, Any]]:
        """Read every item of the table, as it is now; of each the projected attributes."""
        after: dict[str, Any] = {}
        while True:
            answer = self.call(
                "scan",
                ProjectionExpression=projection,
                ExpressionAttributeNames={"#key": "key"},
                ConsistentRead=True,
                **arguments,
                **after,
            )
            yield from answer["Items"]
            if "LastEvaluatedKey" not in answer:
                return
            after = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    def delete_all(self, keys: Iterable[str]) -> None:
        """Remove items, several requests at once; when it ends none is there.

        Raises:
            ThrottledError: The table goes on refusing some.
        """
        self._write_all({"DeleteRequest": {"Key": {"key": text(key)}}} for key in keys)

    def put_all(self, items: Iterable[dict[str, Any]]) -> None:
        """Put items, several requests at once; when it ends all are there.

        Raises:
            ThrottledError: The table goes on refusing some.
        """
        self._write_all({"PutRequest": {"Item": item}} for item in items)

    def _write_all(self, requests: Iterable[dict[str, Any]]) -> None:
        batches = _chunks(requests, PUT_AT_ONCE)
        with ThreadPoolExecutor(self._threads) as pool:
            running: set[Future[None]] = set()
            for batch in batches:
                running.add(pool.submit(self._write, batch))
                # no more than can run soon: items may be made as they are asked for
                if len(running) >= 2 * self._threads:
                    ended, running = wait(running, return_when=FIRST_COMPLETED)
                    for future in ended:
                        future.result()
            for future in running:
                future.result()

    def _write(self, requests: list[dict[str, Any]]) -> None:
        asked: Any = {self.table: requests}
        for tried in itertools.count(1):
            answer = self.call("batch_write_item", named=False, RequestItems=asked)
            asked = answer.get("UnprocessedItems")
            if not asked:
                return
            self._wait(tried, f"{len(asked[self.table])} items were not taken")

    def transact(self, actions: Sequence[dict[str, Any]]) -> None:
        """Write all or nothing.

        Raises:
            ConditionError: A condition does not hold; says of which action.
        """
        named = [
            {kind: {**about, "TableName": self.table} for kind, about in action.items()}
            for action in actions
        ]
        self.call("transact_write_items", named=False, TransactItems=named)

    def delete(self, key: str) -> None:
        """Remove one item, if it is there."""
        self.call("delete_item", Key={"key": text(key)})

    def call(
        self,
        operation: str,
        *,
        named: bool = True,
        again_on: frozenset[str] = frozenset(),
        **arguments: Any,
    ) -> dict[str, Any]:
        """One request, tried again where the table throttles and on further codes.

        Raises:
            ConditionError: Its condition does not hold.
            ThrottledError: It was refused each time.
            OnlineStoreError: Anything else; says what and why.
        """
        from botocore.exceptions import (
            BotoCoreError,
            ClientError,
        )

        if named:
            arguments["TableName"] = self.table
        for tried in itertools.count(1):
            try:
                answer: dict[str, Any] = getattr(self.client, operation)(**arguments)
            except ClientError as error:
                code = self._code(error)
                if code not in THROTTLED | again_on:
                    raise self._refusal(code, error) from error
                self._wait(tried, f"it answers {code}")
            except BotoCoreError as error:
                raise OnlineStoreError(
                    f"table {self.table} cannot be reached ({type(error).__name__}: {error}); "
                    "check credentials, region, endpoint and network"
                ) from error
            else:
                return answer
        raise AssertionError("unreachable")

    def _code(self, error: Any) -> str:
        """An error's code; of a cancelled transaction that of the write it was cancelled for."""
        code = str(error.response["Error"]["Code"])
        reasons = [reason.get("Code") for reason in error.response.get("CancellationReasons", [])]
        if "ConditionalCheckFailed" in reasons:
            raise ConditionError(
                f"a condition of table {self.table} does not hold",
                reasons.index("ConditionalCheckFailed"),
            ) from error
        if code == "ConditionalCheckFailedException":
            raise ConditionError(f"a condition of table {self.table} does not hold") from error
        if code == "TransactionCanceledException" and set(reasons) & PASSING:
            return "ThrottlingException"
        return code

    def _refusal(self, code: str, error: Exception) -> OnlineStoreError:
        region = getattr(getattr(self.client, "meta", None), "region_name", "unknown")
        words = WORDS.get(code)
        if words is None:
            return OnlineStoreError(f"table {self.table} refuses: {error}")
        return OnlineStoreError(f"{words.format(table=self.table, region=region)} ({code})")

    def _wait(self, tried: int, what: str) -> None:
        """Wait before the next try, longer each time and by chance (full jitter).

        Raises:
            ThrottledError: It was tried often enough.
        """
        if tried >= self._attempts:
            raise ThrottledError(
                f"table {self.table} is throttled: {what} after {tried} tries. Raise its write "
                "capacity or make it on-demand, or lower the number of threads; what is there "
                "stays, and publishing again goes on from there"
            )
        self._sleep(self._random.uniform(0, min(LONGEST_WAIT, FIRST_WAIT * 2**tried)))


def _chunks(items: Iterable[dict[str, Any]], size: int) -> Iterator[list[dict[str, Any]]]:
    iterator = iter(items)
    while chunk := list(itertools.islice(iterator, size)):
        yield chunk
