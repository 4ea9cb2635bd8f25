"""An API key is known by its hash alone, and stops working when it should."""

import asyncio
import json
import stat
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import import_module
from multiprocessing import get_context

import pytest
from fastapi import Request
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from engagement_assets.commands.cli import app
from engagement_assets.serving.api import keys
from engagement_assets.serving.api.access import Access, KeyFirst
from engagement_assets.serving.api.keys import (
    KeyFile,
    KeyRing,
    KeysError,
    add_key,
    drop_key,
    new_key,
    read_keys,
    write_keys,
)
from engagement_assets.serving.api.problems import ProblemError


def ring_of(*made):
    return KeyRing({kept.id: kept for kept in made})


def test_a_key_is_found_and_its_secret_is_kept_nowhere():
    kept, token = new_key("app", ["read", "score"])
    ring = ring_of(kept)
    assert ring.find(token) == kept
    secret = token.rpartition("_")[2]
    assert secret not in json.dumps(ring.to_data())
    assert len(bytes.fromhex(secret)) == 32


def test_a_forged_key_with_a_known_id_is_not_found():
    kept, token = new_key("app", ["read"])
    forged = token[:-1] + ("0" if token[-1] != "0" else "1")
    assert ring_of(kept).find(forged) is None


def test_the_key_of_another_installation_is_not_found():
    ours, _ = new_key("ours", ["read"])
    _, theirs = new_key("theirs", ["read", "score", "admin"])
    assert ring_of(ours).find(theirs) is None


@given(st.text())
def test_no_text_opens_anything(text):
    kept, _ = new_key("app", ["read"])
    assert ring_of(kept).find(text) is None


def test_an_expired_key_is_not_found():
    now = datetime.now(UTC)
    kept, token = new_key("app", ["read"], days=1, now=now)
    assert ring_of(kept).find(token, now=now + timedelta(hours=23)) == kept
    assert ring_of(kept).find(token, now=now + timedelta(hours=24)) is None


@pytest.mark.parametrize(
    ("scopes", "rate", "match"),
    [(["write"], None, "scopes write"), ([], None, "scopes"), (["read"], "many", "rate many")],
)
def test_an_illegal_key_is_not_made(scopes, rate, match):
    with pytest.raises(KeysError, match=match):
        new_key("app", scopes, rate=rate)


def test_the_file_is_for_its_owner_alone_and_read_again_when_it_changes(tmp_path, monkeypatch):
    monkeypatch.setattr(keys, "LOOK_AGAIN_SECONDS", 0.0)
    path = tmp_path / "home" / "api_keys.json"
    source = KeyFile(path)
    assert source.ring() == KeyRing()
    kept, token = new_key("app", ["read"])
    write_keys(path, ring_of(kept))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert source.ring().find(token) == kept
    write_keys(path, KeyRing())
    assert source.ring().find(token) is None


@pytest.mark.parametrize(
    "text", ["{", "[]", "null", "[" * 100_000, '{"keys": [{"id": "x"}]}', '{"keys": 3}']
)
def test_a_file_that_holds_no_keys_is_an_error_that_names_it(tmp_path, text):
    path = tmp_path / "keys.json"
    path.write_text(text)
    with pytest.raises(KeysError, match=r"keys\.json is not usable"):
        read_keys(path)


def api_key(*arguments):
    return CliRunner().invoke(app, ["api-key", *arguments])


def test_the_command_makes_lists_and_revokes(tmp_path):
    path = str(tmp_path / "keys.json")
    made = api_key("create", "--file", path, "--name", "app", "--scopes", "read,score")
    kept = read_keys(tmp_path / "keys.json").find(made.stdout.strip())
    assert kept is not None
    assert kept.scopes == ("read", "score")
    assert kept.id in api_key("list", "--file", path).stdout
    assert api_key("revoke", "--file", path, kept.id).exit_code == 0
    assert read_keys(tmp_path / "keys.json").find(made.stdout.strip()) is None
    again = api_key("revoke", "--file", path, kept.id)
    assert again.exit_code == 1
    assert "there is no key" in again.stderr


def test_keys_made_at_once_are_all_there_and_one_that_was_withdrawn_stays_so(tmp_path):
    path = tmp_path / "api_keys.json"
    withdrawn = [add_key(path, "old", ["read"])[0].id for _ in range(4)]
    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as pool:
        made = [pool.submit(add_key, path, f"new {n}", ["read"]) for n in range(8)]
        dropped = [pool.submit(drop_key, path, identity) for identity in withdrawn]
        new = {one.result()[0].id for one in made}
        assert [one.result() for one in dropped] == [None] * 4
    assert set(read_keys(path).keys) == new


@pytest.mark.parametrize(
    "change",
    [
        {"expires_at": "soon"},
        {"expires_at": "2026-01-01T00:00:00"},
        {"scopes": ["everything"]},
        {"scopes": "read"},
        {"rate": "many"},
        {"sha256": None},
        {"sha256": "é" * 64},
        {"sha256": "00"},
    ],
)
def test_a_file_that_was_edited_wrongly_says_what_is_wrong(tmp_path, change):
    kept, _ = new_key("app", ["read"])
    path = tmp_path / "api_keys.json"
    path.write_text(json.dumps({"keys": [ring_of(kept).to_data()["keys"][0] | change]}))
    with pytest.raises(KeysError, match=r"is not usable: .*API keys"):
        read_keys(path)


def test_a_key_that_ends_beyond_the_calendar_is_not_made():
    with pytest.raises(KeysError, match="calendar"):
        new_key("app", ["read"], days=10**9)


def test_a_file_that_was_broken_opens_nothing_until_it_is_mended(tmp_path, monkeypatch):
    path = tmp_path / "api_keys.json"
    kept, token = new_key("app", ["read"])
    write_keys(path, ring_of(kept))
    source = KeyFile(path)
    assert source.ring().find(token) == kept
    path.write_text("{")
    for seconds in (0.0, 1000.0, 1000.0):
        monkeypatch.setattr(keys, "LOOK_AGAIN_SECONDS", seconds)
        with pytest.raises(KeysError, match="is not usable"):
            source.ring()
    monkeypatch.setattr(keys, "LOOK_AGAIN_SECONDS", 0.0)
    write_keys(path, ring_of(kept))
    assert source.ring().find(token) == kept


@pytest.mark.parametrize("name", [b"x-api-key", b"authorization"])
@pytest.mark.parametrize("blank", [b"\xa0", b"\x0b", b"\x85", b"\t", b"\0"])
def test_what_a_parser_of_http_leaves_around_a_key_makes_it_another(name, blank):
    kept, token = new_key("app", ["read"])
    access = Access(Fixed(ring_of(kept)), None, rate="9/second", rate_storage="async+memory://")
    scheme = b"Bearer " if name == b"authorization" else b""

    def caller(value):
        scope = {"type": "http", "headers": [(name, scheme + value)]}
        return asyncio.run(access.caller(Request(scope)))

    assert caller(token.encode()).name == f"key:{kept.id}"
    for value in (blank + token.encode(), token.encode() + blank):
        with pytest.raises(ProblemError) as refused:
            caller(value)
        assert refused.value.status == 401


@pytest.mark.parametrize(
    "name", ["ask", "contact", "counterfactuals", "next_action", "reviews", "routes", "texts"]
)
def test_every_route_looks_at_keys_before_bodies(name):
    module = import_module(f"engagement_assets.serving.api.{name}")
    assert module.router.routes
    assert all(isinstance(route, KeyFirst) for route in module.router.routes)


@dataclass
class Fixed:
    """Keys that stay."""

    kept: KeyRing

    def ring(self):
        return self.kept


def test_a_file_that_cannot_be_read_is_an_error_that_names_it(tmp_path):
    with pytest.raises(KeysError, match="is not usable: Is a directory"):
        read_keys(tmp_path)
