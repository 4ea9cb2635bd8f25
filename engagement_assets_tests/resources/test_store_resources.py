"""The online stores as assets take them."""

import dagster as dg
import pytest

from engagement_assets_tests.resources.online_stores import (
    contents,
    dynamodb_client,
    make_table,
    publish,
    release,
)
from resources.online_store.dynamodb_requests import make_client
from resources.online_store.releases import OnlineStoreError
from resources.online_store.resource import (
    DynamoDBOnlineStore,
    OnlineStoreResource,
    SqliteOnlineStore,
)


@pytest.fixture
def credentials(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")


@pytest.fixture(params=["sqlite", "dynamodb"])
def configured(request, tmp_path, credentials):
    """Each resource over an empty store."""
    del credentials
    if request.param == "sqlite":
        yield SqliteOnlineStore(path=str(tmp_path / "online.sqlite"))
        return
    endpoint = request.getfixturevalue("dynamodb_endpoint")
    table = make_table(dynamodb_client(endpoint))
    yield DynamoDBOnlineStore(table=table, region="eu-west-1", endpoint_url=endpoint, threads=2)


def test_an_asset_publishes_to_either_store(configured):
    @dg.asset
    def published(online_store: OnlineStoreResource) -> None:
        publish(online_store.store, release())

    with dg.DagsterInstance.ephemeral() as instance:
        made = dg.materialize(
            [published], resources={"online_store": configured}, instance=instance
        )
    assert made.success
    assert configured.store.served().name == release().name
    assert contents(configured.store, release()) == {"a"}


def test_a_resource_keeps_its_store_open(configured):
    assert configured.store is configured.store


@pytest.mark.usefixtures("credentials")
def test_a_client_without_a_region_or_with_a_wrong_address_says_so(monkeypatch, tmp_path):
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(OnlineStoreError, match=r"no client of DynamoDB.*region"):
        make_client()
    with pytest.raises(OnlineStoreError, match=r"no client of DynamoDB.*not an address"):
        make_client(region="eu-west-1", endpoint_url="not an address")
