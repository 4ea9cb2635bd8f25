"""Tombstones on S3: sealed, and none is lost where several bury at once."""

from threading import Thread

import pytest
from upath import UPath

from engagement_assets_tests.aws.cloud import Cloud
from resources.erasures import Erasures
from resources.files import DamagedFileError


def test_tombstones_on_s3_are_sealed_and_none_is_lost(installed: Cloud) -> None:
    def erasures() -> Erasures:
        return Erasures(UPath(f"{installed.root}/privacy", **installed.storage))

    names = [f"customer-{number}" for number in range(4)]
    threads = [
        Thread(target=lambda name=name: erasures().bury([name], at="2026-01-02")) for name in names
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert erasures().erased([*names, "bob"]) == set(names)
    path = erasures().root / "tombstones.json"
    path.write_text(path.read_text().replace("2026-01-02", "2026-01-03", 1))
    with pytest.raises(DamagedFileError, match="the erased come back"):
        erasures().erased(names)
