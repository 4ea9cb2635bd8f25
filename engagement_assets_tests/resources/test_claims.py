"""One holder at a time, and a killed one is followed, in a file and in DynamoDB."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from engagement_assets_tests.resources.online_stores import dynamodb_stores
from resources.aws.claims import DynamoDBClaims
from resources.claims import ClaimsError, SqliteClaims
from resources.subjects import Subjects


@pytest.fixture(params=["sqlite", "dynamodb"])
def claims(request, tmp_path):
    """What makes claims over one storage, each with its own clock."""
    if request.param == "sqlite":
        yield partial(SqliteClaims, tmp_path / "claims.sqlite", lease_seconds=60)
        return
    with dynamodb_stores(request.getfixturevalue("dynamodb_endpoint")) as stores:
        yield partial(DynamoDBClaims, stores.another().requests, lease_seconds=60)


def test_a_key_is_claimed_once_and_for_ever_when_it_is_settled(claims):
    one, later = claims(clock=lambda: 1_000), claims(clock=lambda: 10_000)
    mine = one.claim("a", "first")
    assert mine.content == "first"
    assert one.claim("a", "second") is None
    assert one.claim("b", "other").content == "other"
    one.settle(mine)
    assert later.claim("a", "second") is None


def test_a_silent_holder_is_followed_by_one_who_does_the_same(claims):
    one, later = claims(clock=lambda: 1_000), claims(clock=lambda: 1_061)
    first = one.claim("a", "first")
    second = later.claim("a", "second")
    assert second.content == "first"
    # the first is late and may not take it from the second
    one.release(first)
    assert later.claim("a", "third") is None
    later.release(second)
    assert later.claim("a", "third").content == "first"


def test_of_many_who_ask_at_once_one_holds_it(tmp_path):
    """DynamoDB's local server cannot show it: it looks and writes in two steps."""

    def ask(number):
        return SqliteClaims(tmp_path / "claims.sqlite").claim("a", str(number))

    with ThreadPoolExecutor(8) as pool:
        held = list(pool.map(ask, range(16)))
    assert sum(claim is not None for claim in held) == 1


def test_a_file_that_is_none_says_so(tmp_path):
    path = tmp_path / "claims.sqlite"
    path.write_text("no database" * 1000)
    with pytest.raises(ClaimsError, match=r"claims\.sqlite"):
        SqliteClaims(path).claim("a", "first")


def test_claims_that_mention_a_person_are_removed_in_key_and_content_and_no_other(claims, tmp_path):
    kept = claims()
    for key, content in (
        ("contact/2026-01-01/ann", "{}"),
        ("text/posts/1", '{"customer_id": "ann"}'),
        ("text/posts/2", '{"customer_id": "anna"}'),
    ):
        kept.claim(key, content, settled=True)
    subjects = Subjects(frozenset({"ann"}))
    keys = kept.about(subjects)
    assert sorted(keys) == ["contact/2026-01-01/ann", "text/posts/1"]
    kept.erase(keys)
    assert kept.about(subjects) == []
    assert kept.settled(["text/posts/2"]) == {"text/posts/2": '{"customer_id": "anna"}'}
    # of the file not a byte, nor of its log
    assert not any(b'"ann"' in file.read_bytes() for file in tmp_path.iterdir())
