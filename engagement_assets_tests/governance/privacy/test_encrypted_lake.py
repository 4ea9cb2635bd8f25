"""`engagement encrypt`: nobody reads the lake without the key, and everything else goes on."""

import shutil
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from click.testing import Result
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from engagement_assets.commands.cli import app
from engagement_assets.deployments.resources import resources_of
from engagement_assets.governance.privacy.places import LakeTable
from engagement_assets.settings.installation import Settings
from engagement_assets.source.contract import TABLES
from resources.key_files import make_key
from resources.lake import CorruptPartitionError, Lake, LockedPartitionError
from resources.sql import Query
from resources.subjects import Subjects
from resources.vault import ChangedFileError, Vault

DAYS = [date(2026, 3, 1), date(2026, 3, 2)]
CUSTOMERS = TABLES["customers"]
ALL = "SELECT customer_id, email FROM source.customers ORDER BY ALL"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    monkeypatch.setenv("ENGAGEMENT_HOME", str(home))
    home.mkdir()
    settings = Settings(home=home, masking_key=str(tmp_path / "masking.key"), first_day=DAYS[0])
    settings.save()
    for number, day in enumerate(DAYS):
        at = datetime(day.year, day.month, day.day, 12)
        rows = [
            {
                "customer_id": f"canary{number}{n:02}",
                "email": f"canary{number}{n:02}@example.org",
                "signed_up_at": at,
                "recorded_at": at,
            }
            for n in range(20)
        ]
        Lake(settings.lake_root).write(
            CUSTOMERS, pa.Table.from_pylist(rows, schema=CUSTOMERS.arrow), day=day
        )
    return home


@pytest.fixture
def engagement(home: Path) -> Callable[..., Result]:
    return lambda *words: CliRunner().invoke(app, [words[0], "--home-dir", str(home), *words[1:]])


@pytest.fixture
def key(home: Path, engagement: Callable[..., Result]) -> Path:
    key = home.parent / "keys" / "lake.key"
    done = engagement("encrypt", "--lake-key", str(key))
    assert done.exit_code == 0, done.output
    return key


def named_in(home: Path) -> list[str]:
    return [
        path.name for path in home.rglob("*") if path.is_file() and b"canary" in path.read_bytes()
    ]


def emails(home: Path) -> list[str]:
    engine = resources_of(Settings.load(home))["engine"].engine([])
    rows: list[str] = engine.select(Query("all", ALL), {})["email"].to_pylist()
    return rows


def test_no_file_of_the_lake_shows_anybody_and_every_reader_goes_on(home: Path, key: Path) -> None:
    assert named_in(home) == []
    assert key.stat().st_mode & 0o077 == 0
    assert len(emails(home)) == 40
    lake = resources_of(Settings.load(home))["lake"].lake
    assert lake.read(CUSTOMERS.key, days=DAYS).num_rows == 40
    assert lake.read_where(
        CUSTOMERS.key, days=[DAYS[0]], column="customer_id", values=["canary003"]
    )["email"].to_pylist() == ["canary003@example.org"]


def test_what_is_written_afterwards_is_encrypted_too(home: Path, key: Path) -> None:
    del key
    lake = resources_of(Settings.load(home))["lake"].lake
    lake.write(CUSTOMERS, lake.read(CUSTOMERS.key, days=[DAYS[0]]), day=date(2026, 3, 3))
    assert named_in(home) == []
    assert len(emails(home)) == 60


def test_erasing_rewrites_encrypted_files(home: Path, key: Path) -> None:
    del key
    lake = resources_of(Settings.load(home))["lake"].lake
    place = LakeTable(lake, CUSTOMERS)
    gone = Subjects(ids=frozenset({"canary003"}))
    assert place.remove(gone) == 1
    assert place.count(gone) == 0
    assert "canary003@example.org" not in emails(home)
    assert named_in(home) == []


def test_analysts_ask_for_masked_rows(
    home: Path, key: Path, engagement: Callable[..., Result]
) -> None:
    del key
    resources = resources_of(Settings.load(home))
    assert resources["catalogue"].publish(resources["engine"].engine([])).tables == []
    assert not (home / "lake.duckdb").exists()
    assert resources["catalogue"].exists()
    shown = engagement("masked", "--query", ALL)
    assert shown.exit_code == 0
    assert len(shown.stdout.splitlines()) == 41
    assert "canary" not in shown.stdout
    # what is not a view of the lake would not be masked
    file = home / "lake" / "source" / "customers" / f"day={DAYS[0]}" / "part.parquet"
    assert engagement("masked", "--query", f"FROM '{file}'").exit_code != 0


def test_without_the_key_nobody_reads_and_the_error_names_what_is_missing(
    home: Path, key: Path
) -> None:
    with pytest.raises(LockedPartitionError, match="LAKE_KEY"):
        Lake(str(home / "lake")).read(CUSTOMERS.key, days=DAYS)
    away = key.rename(key.with_name("away"))
    with pytest.raises(LockedPartitionError, match=str(key)):
        emails(home)
    make_key(key)
    with pytest.raises(LockedPartitionError, match="further line"):
        emails(home)
    shutil.copy(away, key)
    assert len(emails(home)) == 40


@pytest.mark.parametrize("damage", ["a bit", "moved", "cut"])
def test_a_file_that_was_changed_or_moved_is_refused(home: Path, key: Path, damage: str) -> None:
    del key
    paths = [home / "lake/source/customers" / f"day={day}" / "part.parquet" for day in DAYS]
    content = bytearray(paths[0].read_bytes())
    if damage == "a bit":
        content[len(content) // 2] ^= 1
    elif damage == "moved":
        content = bytearray(paths[1].read_bytes())
    else:
        content = content[:-1]
    paths[0].write_bytes(content)
    with pytest.raises(CorruptPartitionError):
        emails(home)
    with pytest.raises(CorruptPartitionError):
        resources_of(Settings.load(home))["lake"].lake.read(CUSTOMERS.key, days=DAYS)


def test_another_key_takes_over_and_the_lake_is_decrypted_again(
    home: Path, key: Path, engagement: Callable[..., Result]
) -> None:
    old = key.read_text()
    key.write_text(f"{'ab' * 32}\n{old}\n")
    assert len(emails(home)) == 40
    assert engagement("encrypt").exit_code == 0
    key.write_text("ab" * 32)
    assert len(emails(home)) == 40
    assert "0 of 2" in engagement("encrypt").stdout
    assert engagement("encrypt", "--off").exit_code == 0
    key.unlink()
    assert Settings.load(home).lake_key == ""
    assert len(emails(home)) == 40


def test_a_lake_that_is_half_encrypted_is_read(home: Path, key: Path) -> None:
    # as a killed `encrypt` leaves it
    lake = resources_of(Settings.load(home))["lake"].lake
    assert lake.recode(lake.path(CUSTOMERS.key, DAYS[0]), encrypted=False)
    assert len(emails(home)) == 40
    assert key.exists()


@pytest.mark.parametrize(
    ("words", "reason"),
    [([], "LAKE_KEY"), (["--lake-key", "{home}/lake.key"], "lies in the home")],
)
def test_a_key_must_be_named_and_lie_elsewhere(
    home: Path, engagement: Callable[..., Result], words: list[str], reason: str
) -> None:
    refused = engagement("encrypt", *[word.format(home=home) for word in words])
    assert refused.exit_code == 2
    assert reason in refused.stderr


@pytest.mark.parametrize("command", ["encrypt", "home"])
def test_a_key_that_was_refused_is_not_saved(
    home: Path, engagement: Callable[..., Result], command: str
) -> None:
    saved = (home / "settings.json").read_text()
    refused = engagement(command, "--lake-key", str(home / "lake.key"))
    assert refused.exit_code == 2
    assert "lies in the home" in refused.stderr
    assert (home / "settings.json").read_text() == saved
    assert not (home / "lake.key").exists()
    # so the next command goes on
    assert engagement("home").exit_code == 0


@pytest.mark.parametrize("text", ["", "no key", "abcd"])
def test_a_file_of_keys_that_holds_none_is_named(
    home: Path, engagement: Callable[..., Result], text: str
) -> None:
    key = home.parent / "lake.key"
    key.write_text(text)
    refused = engagement("encrypt", "--lake-key", str(key))
    assert refused.exit_code == 1
    assert str(key) in refused.stderr
    assert len(named_in(home)) == 2


@given(content=st.binary(max_size=4096), turned=st.integers(0, 10**6))
def test_content_comes_back_and_no_changed_byte_is_taken(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, turned: int
) -> None:
    root = tmp_path_factory.getbasetemp()
    make_key(root / "property.key")
    vault, path = Vault(root, root / "property.key"), root / "one" / "file"
    made = vault.encrypted(path, content)
    assert vault.decrypted(path, made) == content
    with pytest.raises(ChangedFileError):
        vault.decrypted(root / "other" / "file", made)
    # behind the mark and the key's name, which choose how it is read
    changed = bytearray(made)
    changed[8 + turned % (len(made) - 8)] ^= 1 + turned % 255
    with pytest.raises(ChangedFileError):
        vault.decrypted(path, bytes(changed))
