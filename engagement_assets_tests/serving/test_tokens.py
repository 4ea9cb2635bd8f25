"""A token lets in whom the issuer named, for this installation and for now."""

import base64
import hmac
import json
import time

import pytest
from cryptography.hazmat.primitives import serialization

from engagement_assets.serving.api.tokens import TokenChecker, TokenError
from engagement_assets.settings.api import ApiSettings
from engagement_assets.settings.fields import SettingsError
from engagement_assets_tests.serving.issuer import AUDIENCE, ISSUER, Issuer, jwks


@pytest.fixture(scope="module")
def issuer():
    return Issuer()


@pytest.fixture(scope="module")
def checker(issuer):
    return TokenChecker(ISSUER, AUDIENCE, jwks(issuer), leeway=30)


def test_a_good_token_is_accepted(issuer, checker):
    assert checker.claims(issuer.token())["scope"] == "read score"


@pytest.mark.parametrize(
    ("claims", "match"),
    [
        ({"exp": -60}, "has expired"),
        ({"nbf": 120}, "compare the clocks"),
        ({"iat": 120}, "compare the clocks"),
        ({"aud": "another-installation"}, "another audience"),
        ({"iss": "https://evil.example"}, "another issuer"),
        ({"exp": None}, "lacks the claim exp"),
        ({"sub": None}, "lacks the claim sub"),
    ],
)
def test_a_token_that_is_not_for_here_and_now_is_refused(issuer, checker, claims, match):
    # times are from now on, which is when the test runs and not when it was collected
    now = int(time.time())
    told = {k: now + v if isinstance(v, int) else v for k, v in claims.items()}
    with pytest.raises(TokenError, match=match):
        checker.claims(issuer.token(**told))


def test_clocks_may_differ_by_the_leeway_and_no_more(issuer, checker):
    now = int(time.time())
    assert checker.claims(issuer.token(exp=now - 20))
    assert checker.claims(issuer.token(iat=now + 20, nbf=now + 20))


def test_a_token_signed_by_another_key_is_refused(checker):
    with pytest.raises(TokenError, match="not accepted"):
        checker.claims(Issuer().token())
    with pytest.raises(TokenError, match="a key that is not known"):
        checker.claims(Issuer(kid="second").token())


def test_an_unsigned_token_is_refused(issuer, checker):
    head = base64.urlsafe_b64encode(json.dumps({"alg": "none", "kid": "first"}).encode())
    body = issuer.token().split(".")[1]
    with pytest.raises(TokenError, match="not accepted"):
        checker.claims(f"{head.decode().rstrip('=')}.{body}.")


def test_the_public_key_is_not_taken_for_a_shared_secret(issuer, checker):
    public = issuer.key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    head = base64.urlsafe_b64encode(json.dumps({"alg": "HS256", "kid": "first"}).encode())
    signed = b".".join([head.rstrip(b"="), issuer.token().split(".")[1].encode()])
    seal = base64.urlsafe_b64encode(hmac.digest(public, signed, "sha256")).rstrip(b"=")
    with pytest.raises(TokenError, match="not accepted"):
        checker.claims(b".".join([signed, seal]).decode())


def test_a_changed_claim_breaks_the_signature(issuer, checker):
    head, body, seal = issuer.token().split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    changed = base64.urlsafe_b64encode(json.dumps(claims | {"scope": "admin"}).encode())
    with pytest.raises(TokenError, match="not accepted"):
        checker.claims(f"{head}.{changed.decode().rstrip('=')}.{seal}")


@pytest.mark.parametrize("text", ["", "a", "a.b.c", "....", "é.é.é"])
def test_no_text_is_a_token(checker, text):
    with pytest.raises(TokenError):
        checker.claims(text)


def test_an_old_and_a_new_key_are_both_accepted_while_keys_are_rotated(issuer):
    after = Issuer(kid="second")
    checker = TokenChecker(ISSUER, AUDIENCE, jwks(issuer, after))
    assert checker.claims(issuer.token())
    assert checker.claims(after.token())


def test_settings_without_an_issuer_take_no_tokens_and_a_bad_file_is_named(tmp_path):
    assert TokenChecker.of(ApiSettings()) is None
    path = tmp_path / "jwks.json"
    path.write_text("{}")
    settings = ApiSettings(jwt_issuer=ISSUER, jwt_audience=AUDIENCE, jwt_keys=str(path))
    with pytest.raises(SettingsError, match="expected an https:// address or a file"):
        TokenChecker.of(settings)
    path.write_text(json.dumps(jwks(Issuer())))
    assert TokenChecker.of(settings) is not None


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PORT", "x"),
        ("PORT", "70000"),
        ("RATE", "fast"),
        ("DOCS", "perhaps"),
        ("TLS_KEY", "key.pem"),
        ("JWT_ISSUER", ISSUER),
        ("COLOUR", "blue"),
    ],
)
def test_a_wrong_setting_of_the_api_is_named(monkeypatch, variable, value):
    monkeypatch.setenv(f"ENGAGEMENT_API_{variable}", value)
    with pytest.raises(SettingsError, match=f"ENGAGEMENT_API_{variable}"):
        ApiSettings()
