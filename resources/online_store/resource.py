"""The online stores as Dagster resources.

Belongs here: configuration. Does not belong here: the stores, and which of them a deployment has
(`engagement_assets.deployments.resources`).
"""

from functools import cached_property, partial
from pathlib import Path

import dagster as dg
from pydantic import Field

from resources.online_store.dynamodb import RETENTION_DAYS, DynamoDBStore
from resources.online_store.dynamodb_requests import make_client
from resources.online_store.lease import LEASE_SECONDS
from resources.online_store.sqlite import SqliteStore
from resources.online_store.store import OnlineStore

LEASE_TEXT = (
    "How long a publisher must be silent before another takes over; raise it where a publisher may "
    "be held up for longer."
)


class OnlineStoreResource(dg.ConfigurableResource):
    """What assets take: some online store."""

    @property
    def store(self) -> OnlineStore:
        """The store."""
        raise NotImplementedError


class SqliteOnlineStore(OnlineStoreResource):
    """The online store in a SQLite file."""

    path: str = Field(description="The file.")
    lease_seconds: float = Field(default=LEASE_SECONDS, description=LEASE_TEXT)

    @cached_property
    def store(self) -> SqliteStore:
        """The store; its readers' connections stay open."""
        return SqliteStore(Path(self.path), lease_seconds=self.lease_seconds)


class DynamoDBOnlineStore(OnlineStoreResource):
    """The online store in a DynamoDB table whose key is the text attribute `key`."""

    table: str = Field(description="The table's name.")
    region: str = Field(default="", description="Its region; the environment's when empty.")
    endpoint_url: str = Field(
        default="", description="Another endpoint, such as a local server's; AWS's when empty."
    )
    retention_days: int = Field(
        default=RETENTION_DAYS,
        description="Days after which what was published expires: more than publishing may ever "
        "stand still, since what is served expires too.",
    )
    threads: int = Field(
        default=8, description="Requests at once while publishing; lower it if it is throttled."
    )
    lease_seconds: float = Field(default=LEASE_SECONDS, description=LEASE_TEXT)

    @cached_property
    def store(self) -> DynamoDBStore:
        """The store; its client is made with the first request."""
        return DynamoDBStore(
            self.table,
            partial(
                make_client,
                region=self.region,
                endpoint_url=self.endpoint_url,
                connections=self.threads + 2,
            ),
            retention_days=self.retention_days,
            threads=self.threads,
            lease_seconds=self.lease_seconds,
        )
