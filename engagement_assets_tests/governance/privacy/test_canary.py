"""A home that was run over files is searched byte by byte for customers who were erased."""

import json
import shutil
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from engagement_assets.deployments.resources import resources_for
from engagement_assets.governance.privacy import erasure
from engagement_assets.governance.privacy.places import Documents
from engagement_assets.settings.deployment import Deployment
from engagement_assets.settings.installation import SIMULATED, Settings
from engagement_assets_tests.governance.privacy import canary
from engagement_assets_tests.governance.privacy.canary import BEFORE, LAST, NUMBER, WORD
from engagement_assets_tests.platform.homes import PROJECT, command
from engagement_assets_tests.resources.conftest import dynamodb_endpoint
from engagement_assets_tests.resources.online_stores import dynamodb_client, make_table
from resources.erasures import is_genuine
from resources.online_store.dynamodb import DynamoDBStore
from resources.online_store.releases import Release
from resources.reviews import VERDICT, Step

__all__ = ["dynamodb_endpoint"]

pytestmark = pytest.mark.slow


class Shop:
    """A shop's files, the project with a mapping of them, and a home."""

    def __init__(self, folder: Path) -> None:
        self.home, self.backup = folder / "home", folder / "backup"
        self.files, self.project = folder / "files", folder / "project"
        for name in ("engagement_assets", "resources", "sql"):
            shutil.copytree(PROJECT / name, self.project / name)
        shutil.copy(PROJECT / "dagster.yaml", self.project)
        canary.write_mapping(self.project / "sql" / "source" / "shop")
        self.rows = canary.shop()
        canary.deliver(self.rows, self.files, until=LAST)

    def engagement(self, head: str, *given: str) -> str:
        """Run a command and give what it said."""
        settings = ("SOURCE=shop", f"SOURCE_DATA={self.files}", "BOOTSTRAP=20", "THREADS=1")
        done = command(self.home, head, *settings, *given, project=self.project)
        assert done.returncode == 0, done.stderr[-4000:]
        return done.stdout + done.stderr

    @property
    def resources(self) -> dict[str, Any]:
        # the mapping is in the copy of the project alone
        settings = Settings(home=self.home, first_day=canary.FIRST, source=SIMULATED)
        return resources_for(Deployment.LOCAL, settings)

    def use(self) -> None:
        """Leave what people who work with the home leave of both canaries."""
        own = self.resources
        own["questions"].log.add({"text": f"the scores of {WORD} and {NUMBER}?"}, by="support")
        step = Step(
            customer_id=NUMBER,
            since=str(LAST),
            action=VERDICT,
            by="eva",
            at=f"{LAST}T10:00:00+00:00",
            fraud=False,
            note=f"{canary.NAMES[WORD]} knows them",
        )
        own["reviews"].log.add(step)
        own["alerts"].tell_now({"id": "1", "customer_id": NUMBER})
        own["delivery"].claims().claim(f"contact/{LAST}/{WORD}", json.dumps({"x": WORD}))
        draw = {"customer_id": NUMBER, "action": "none"}
        (self.home / "next_actions.jsonl").write_text(json.dumps(draw) + "\n")

    def restore(self) -> None:
        """Put the backup back, all but what a backup must not restore."""
        privacy = self.home.with_name("privacy")
        shutil.move(self.home / "privacy", privacy)
        shutil.rmtree(self.home)
        shutil.copytree(self.backup, self.home)
        shutil.move(privacy, self.home / "privacy")


class Remote:
    """The online store on DynamoDB, filled from that of the home."""

    def __init__(self, endpoint: str) -> None:
        self.client = dynamodb_client(endpoint)
        self.table = make_table(self.client)
        self.store = DynamoDBStore(self.table, self.client, threads=2)

    def publish(self, own: dict[str, Any]) -> None:
        """Publish what the home serves of the canaries and of one other."""
        local = own["online_store"].store
        release = local.served()
        documents = local.get(release.name, [WORD, NUMBER, "c0000001"])
        # its files stay as they are while they are searched
        local.close()
        again = Release(f"{release.snapshot_date}-{uuid.uuid4().hex}", release.snapshot_date)
        with self.store.publishing(again, owner="test") as publication:
            publication.put(0, list(documents.items()))
            publication.serve()

    def contents(self) -> Iterator[bytes]:
        for item in self.client.scan(TableName=self.table)["Items"]:
            for value in (value for attribute in item.values() for value in attribute.values()):
                content = value if isinstance(value, bytes) else str(value).encode()
                yield content
                yield from canary.unpacked(content)

    def traces(self) -> list[str]:
        return canary.needles(b"\n".join(self.contents()))


def test_no_byte_is_left_after_erasure_restore_backfill_redelivery_and_retraining(
    tmp_path: Path, dynamodb_endpoint: str
) -> None:
    shop, remote = Shop(tmp_path), Remote(dynamodb_endpoint)
    shop.engagement("run", f"DATE={LAST}")
    shop.use()
    remote.publish(shop.resources)
    before = canary.traces(shop.home)
    tops = {path.split("/")[0] for path in before}
    assert tops >= {"lake", "online.sqlite", "dagster_home", "questions", "reviews", "alerts.jsonl"}
    assert tops >= {"claims.sqlite", "next_actions.jsonl"}
    assert {needle for seen in before.values() for needle in seen} == set(canary.NEEDLES)
    assert len({path.split("/day=")[0] for path in before if path.startswith("lake/")}) > 40
    assert remote.traces()
    shutil.copytree(shop.home, shop.backup)

    text = shop.engagement("erase", f"CUSTOMER={WORD},{NUMBER}", "CONFIRM=yes")
    assert "0 left" in text
    assert canary.traces(shop.home) == {}
    own = shop.resources
    lake, erasures = own["lake"].lake, own["erasures"].erasures
    (certificate,) = erasures.certificates()
    assert is_genuine(certificate)
    assert len(certificate["people"]) == 3
    documents = Documents(remote.store)
    assert documents.remove(erasure.identified(lake, erasures, [WORD, NUMBER])) == 2
    assert remote.traces() == []
    assert remote.store.get(remote.store.served().name, ["c0000001"])

    # a backup is restored, the files come again with one more day, and everything is made again
    shop.restore()
    assert canary.traces(shop.home)
    remote.publish(shop.resources)
    canary.deliver(shop.rows, shop.files, until=LAST + timedelta(days=1), fraction=True)
    text = shop.engagement("run", f"DATE={LAST + timedelta(days=1)}", "REINGEST=1", "RETRAIN=1")
    assert "3 erased customers are in the lake again" in text
    assert canary.traces(shop.home) == {}
    assert remote.store.served() is not None
    assert documents.remove(erasure.identified(lake, erasures, [WORD, NUMBER])) == 2
    assert remote.traces() == []

    # who is left is there as before, and no model that learnt from the erased is
    days = lake.filled_days("source/sessions")
    people = lake.read("source/customers", days=lake.filled_days("source/customers"))
    names = set(people.column("customer_id").to_pylist())
    assert names.isdisjoint({WORD, NUMBER, BEFORE})
    assert len(names) == len(set(shop.rows["customers"]["customer_id"])) - 3
    assert days[-1] == LAST + timedelta(days=1)
    registry = own["registry"].registry
    learnt = {(one["model"], one["version"]) for one in certificate["models"]}
    for model, version in learnt:
        assert version not in registry.versions(model) or version in registry.retired(model)
