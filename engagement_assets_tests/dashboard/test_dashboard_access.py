"""Who is let in, with which roles, and what they see."""

from datetime import UTC, datetime, timedelta

import pytest

from engagement_assets.dashboard.access import (
    Token,
    Viewer,
    viewer_by_claims,
    viewer_by_token,
)
from engagement_assets.dashboard.reading import OF_GROUPS_ONLY, TABLES, NotAllowedError
from engagement_assets.dashboard.views import customer
from engagement_assets_tests.dashboard.conftest import MASKING, World

NOW = datetime(2026, 2, 11, 12, tzinfo=UTC)
TOKEN = Token.new(hours=1.0, now=NOW)


def test_the_token_of_a_start_opens_until_it_expires() -> None:
    assert viewer_by_token(TOKEN, TOKEN.value, "support", now=NOW) == Viewer(
        frozenset({"support"}), "dashboard:token"
    )
    assert viewer_by_token(TOKEN, TOKEN.value, "support", now=TOKEN.until) is None


@pytest.mark.parametrize(
    "given",
    ["", "guess", TOKEN.value[:-1], TOKEN.value + "x", "ü"],
    ids=["none", "a guess", "a part", "more", "not ASCII"],
)
def test_another_text_opens_nothing(given: str) -> None:
    assert viewer_by_token(TOKEN, given, "admin", now=NOW) is None


def test_without_a_token_of_the_start_nothing_opens() -> None:
    assert viewer_by_token(Token.from_environ({}), "", "admin", now=NOW) is None


def test_a_token_goes_to_the_server_by_the_environment() -> None:
    assert Token.from_environ(TOKEN.as_environ()) == TOKEN


@pytest.mark.parametrize(
    ("named", "roles"),
    [
        ("support", {"support"}),
        ("analyst reviewer", {"analyst", "reviewer"}),
        (["admin", "owner", 7], {"admin"}),
        (["owner"], None),
        ({"admin": True}, None),
        (None, None),
    ],
)
def test_roles_come_from_claims_and_only_those_there_are(
    named: object, roles: set[str] | None
) -> None:
    claims = {"roles": named, "sub": "ada", "exp": (NOW + timedelta(hours=1)).timestamp()}
    viewer = viewer_by_claims(claims, "roles", now=NOW)
    assert (set(viewer.roles) if viewer else None) == roles


@pytest.mark.parametrize("exp", [None, "soon", (NOW - timedelta(seconds=1)).timestamp()])
def test_an_expired_sign_in_or_one_without_an_end_has_no_role(exp: object) -> None:
    assert (
        viewer_by_claims({"roles": ["admin"], "sub": "ada", "exp": exp}, "roles", now=NOW) is None
    )


def test_claims_that_name_nobody_have_no_role() -> None:
    claims = {"roles": ["admin"], "exp": (NOW + timedelta(hours=1)).timestamp()}
    assert viewer_by_claims(claims, "roles", now=NOW) is None


def test_an_analyst_reads_pseudonyms_for_ids_and_no_customer(world: World) -> None:
    reader = world.reader(sees_customers=Viewer(frozenset({"analyst"}), "ada").sees_customers)
    seen = set[str]()
    for table in TABLES:
        rows = reader.newest(table).rows
        texts = rows.select_dtypes(["object", "string"]).astype(str)
        assert not texts.isin(world.people).to_numpy().any(), table
        if "customer_id" in rows:
            seen |= {*rows["customer_id"]}
    assert seen == {MASKING.pseudonym(name) for name in world.people}
    with pytest.raises(NotAllowedError) as refusal:
        customer.pictures(reader, world.people[0])
    assert world.people[0] not in str(refusal.value)


def test_nobody_reads_what_groups_of_fairness_are_made_of(world: World) -> None:
    rows = world.reader().of_customer("features/customer_features", world.people[0]).rows
    assert len(rows) == 1
    assert not {*rows.columns} & OF_GROUPS_ONLY
