"""An error of AWS is one sentence that says what to do."""

import socket
import threading
from datetime import date

import pytest
from upath import UPath

from engagement_assets_tests.aws.answers import answering
from engagement_assets_tests.aws.cloud import CREDENTIALS, REGION, Cloud
from engagement_assets_tests.resources.test_lake import ROWS, SCHEMA, write
from resources.aws import clients
from resources.aws.clients import CONFIG, aws_call, client
from resources.aws.errors import AwsError
from resources.aws.storage import change_text, options
from resources.lake import Lake, StorageError
from resources.registry import ModelRegistry

DAY = date(2024, 1, 1)


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch):
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    clients.client.cache_clear()
    yield
    clients.client.cache_clear()


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        (403, "AccessDenied", r"GetObject: this role may not do that: allow the action"),
        (403, "RequestTimeTooSkewed", r"this machine's clock is wrong: set the clock"),
        (403, "SignatureDoesNotMatch", r"this machine's clock is wrong: set the clock"),
        (400, "ExpiredToken", r"the session token has expired: sign in again"),
        (403, "InvalidAccessKeyId", r"the access key is not known to AWS"),
        (404, "NoSuchBucket", r"there is no such bucket; check ENGAGEMENT_BUCKET"),
        (400, "SomethingNew", r"GetObject: SomethingNew: because"),
    ],
)
def test_what_aws_answers_is_said_with_what_to_do(monkeypatch, status, code, said):
    with answering(status, code, "because") as (url, calls):
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", url)
        with (
            pytest.raises(AwsError, match=f"reading a file: .*{said}") as caught,
            aws_call("reading a file"),
        ):
            client("s3", REGION).get_object(Bucket="bucket", Key="key")
        assert caught.value.code == code
        assert len(calls) == 1, "asking again would not help"


def test_throttling_is_tried_again_a_bounded_number_of_times(monkeypatch):
    with answering(503, "SlowDown", "too fast") as (url, calls):
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", url)
        with pytest.raises(AwsError, match="also after 5 tries"), aws_call("reading"):
            client("s3", REGION).get_object(Bucket="bucket", Key="key")
        assert len(calls) == CONFIG["retries"]["total_max_attempts"] == 5


def test_an_endpoint_that_cannot_be_reached_is_named(monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{port}")
    with (
        pytest.raises(AwsError, match=rf"cannot be reached .*127.0.0.1:{port}"),
        aws_call("reading"),
    ):
        client("s3", REGION).get_object(Bucket="bucket", Key="key")


def test_missing_credentials_are_told(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)
    with pytest.raises(AwsError, match="no credentials were found"), aws_call("reading"):
        client("s3", REGION).get_object(Bucket="bucket", Key="key")


def own_client(url: str) -> dict[str, int]:
    """An option that no other test has, so that s3fs does not take a client of theirs."""
    return {"default_block_size": 2**24 + int(url.rpartition(":")[2])}


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        (404, "NoSuchBucket", "there is no such bucket"),
        (403, "AccessDenied", "PutObject: this role may not do that"),
        (403, "RequestTimeTooSkewed", "set the clock"),
    ],
)
def test_the_lake_says_why_a_partition_could_not_be_written(monkeypatch, status, code, said):
    with answering(status, code, "because") as (url, _):
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", url)
        lake = Lake("s3://bucket/lake", options(region=REGION) | own_client(url))
        with pytest.raises(StorageError, match=rf"day=2024-01-01/part.parquet: .*{said}"):
            write(lake)


@pytest.mark.parametrize(
    ("code", "said"), [("AccessDenied", "may not do that"), ("ExpiredToken", "sign in again")]
)
def test_a_partition_that_may_not_be_read_is_not_called_corrupt(monkeypatch, code, said):
    with answering(403, code, "because") as (url, _):
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", url)
        lake = Lake("s3://bucket/lake", options(region=REGION) | own_client(url))
        for look in (lake.row_count, lake.digest, lake.exists):
            # a HEAD has no body, so that all that is known of a refusal is its number
            with pytest.raises(StorageError, match=rf"part.parquet: .*(403|{said})"):
                look("people/all", DAY)
        with pytest.raises(StorageError, match=f"people/all: ListObjectsV2: .*{said}"):
            lake.days("people/all")


def test_a_lake_in_a_bucket_that_is_not_there_is_not_an_empty_one(installed: Cloud):
    lake = Lake("s3://no-such-bucket/lake", installed.storage)
    looks = (lake.row_count, lake.digest, lake.exists, lambda table, _: lake.days(table))
    for look in looks:
        with pytest.raises(StorageError, match="there is no such bucket; check ENGAGEMENT_BUCKET"):
            look("people/all", DAY)


def test_a_lake_that_cannot_be_reached_says_so(monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", url)
    lake = Lake("s3://bucket/lake", options(region=REGION) | own_client(url))
    with pytest.raises(StorageError, match="the endpoint cannot be reached"):
        lake.days("people/all")


def test_a_failed_put_leaves_the_old_partition(installed: Cloud, monkeypatch):
    lake = installed.lake
    write(lake)
    before = lake.digest("people/all", DAY)
    with answering(403, "AccessDenied", "no") as (url, _):
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", url)
        other = Lake(lake.root, installed.storage | own_client(url))
        with pytest.raises(StorageError):
            write(other, ROWS.slice(0, 1))
    assert lake.digest("people/all", DAY) == before


def test_every_put_carries_the_key(installed: Cloud, tmp_path):
    write(installed.lake)
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "model.json").write_text("{}")
    registry = ModelRegistry(UPath(f"s3://{installed.bucket}/registry", **installed.storage))
    registry.promote("churn", registry.register("churn", tmp_path / "files", {}), "first")
    keys = installed.keys()
    assert len(keys) == 4
    for key in keys:
        head = installed.client("s3").head_object(Bucket=installed.bucket, Key=key)
        assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", installed.kms_key)


def test_a_partition_of_several_parts_carries_the_key_too(installed: Cloud):
    path = installed.lake.path("people/all", DAY)
    with path.open("wb", block_size=5 * 2**20) as file:
        for _ in range(3):
            file.write(b"x" * 5 * 2**20)
    key = f"platform/lake/people/all/day={DAY}/part.parquet"
    head = installed.client("s3").head_object(Bucket=installed.bucket, Key=key)
    assert head["ETag"].strip('"').endswith("-3")
    assert head["SSEKMSKeyId"] == installed.kms_key


def test_what_another_process_wrote_is_seen_at_once(installed: Cloud):
    lake = installed.lake
    assert lake.days("people/all") == []
    assert not lake.exists("people/all", DAY)
    body = b"not read"
    key = f"platform/lake/people/all/day={DAY}/part.parquet"
    installed.client("s3").put_object(Bucket=installed.bucket, Key=key, Body=body)
    assert lake.days("people/all") == [DAY]
    assert lake.exists("people/all", DAY)


def test_days_are_one_listing_however_many(installed: Cloud, monkeypatch):
    lake = installed.lake
    for day in range(1, 6):
        lake.write_empty(SCHEMA, day=date(2024, 1, day))
    calls = []
    fs = lake.table_path("people/all").fs
    ask = fs._call_s3

    async def counted(method, *arguments, **named):
        calls.append(method)
        return await ask(method, *arguments, **named)

    monkeypatch.setattr(fs, "_call_s3", counted)
    assert len(lake.days("people/all")) == 5
    lake.require("people/all", [date(2024, 1, day) for day in range(1, 6)])
    assert calls == ["list_objects_v2"] * 2, "one for each question"


def test_of_two_changes_at_once_none_is_lost(installed: Cloud):
    url, storage = f"s3://{installed.bucket}/history", installed.storage
    together = threading.Barrier(2, timeout=30)
    tried: list[str] = []

    def add(word: str) -> None:
        first = True

        def change(old: str | None) -> str:
            nonlocal first
            if first:
                first = False
                together.wait()
            tried.append(word)
            return f"{old or ''}{word}"

        change_text(url, change, storage=storage)

    threads = [threading.Thread(target=add, args=(word,)) for word in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(tried) == 3, "the later one read again"
    body = installed.client("s3").get_object(Bucket=installed.bucket, Key="history")["Body"]
    assert sorted(body.read().decode()) == ["a", "b"]


def test_two_promoters_at_once_both_come_into_the_history(installed: Cloud, tmp_path):
    root = UPath(f"s3://{installed.bucket}/registry", **installed.storage)
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "model.json").write_text("{}")
    registry = ModelRegistry(root)
    versions = [registry.register("churn", tmp_path / "files", {"n": n}) for n in range(3)]
    threads = [
        threading.Thread(target=ModelRegistry(root).promote, args=("churn", version, "at once"))
        for version in versions
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {entry["version"] for entry in registry.history("churn")} == set(versions)


def test_a_file_that_others_change_each_time_is_told(installed: Cloud):
    s3, count = installed.client("s3"), 0

    def change(_old: str | None) -> str:
        nonlocal count
        count += 1
        s3.put_object(Bucket=installed.bucket, Key="busy", Body=str(count).encode())
        return "mine"

    with pytest.raises(AwsError, match="others changed it 10 times meanwhile"):
        change_text(f"s3://{installed.bucket}/busy", change, storage=installed.storage)
