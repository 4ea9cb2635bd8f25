"""Signing in by OpenID Connect: a real issuer on this machine, the real dashboard, a browser."""

import re
from collections.abc import Iterator

import pytest
from joserfc.jwk import RSAKey
from playwright.sync_api import Browser, Page, expect

from engagement_assets.commands.dashboard import SECRETS_VARIABLE
from engagement_assets.dashboard.app import PAGES
from engagement_assets_tests.browser import CHROMIUM, browser, server, settle
from engagement_assets_tests.dashboard.conftest import World
from engagement_assets_tests.dashboard.issuer import CLIENT, Issuer, issuer

pytestmark = pytest.mark.skipif(
    not CHROMIUM, reason="no browser is installed: chromium, or CHROMIUM=…"
)
MILLISECONDS = 180_000
SUBJECT = "subject-of-ada"
REFUSED = "You are signed in, but have no role here, or your sign-in has expired."


@pytest.fixture(scope="module")
def signing() -> Iterator[Issuer]:
    with issuer() as made:
        yield made


@pytest.fixture(scope="module")
def address(world: World, signing: Issuer) -> Iterator[str]:
    # as the task of the template gets it: the text of the file, from a secret
    secret = f"""
        [auth]
        redirect_uri = "http://127.0.0.1:{{port}}/oauth2callback"
        cookie_secret = "{"c" * 64}"
        client_id = "{CLIENT}"
        client_secret = "{signing.secret}"
        server_metadata_url = "{signing.url}/.well-known/openid-configuration"
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ENGAGEMENT_DASHBOARD_SIGN_IN", "oidc")
        patch.setenv(SECRETS_VARIABLE, secret)
        with server(world.home, "dashboard") as url:
            yield url


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as started:
        yield started


@pytest.fixture
def page(chromium: Browser, address: str) -> Iterator[Page]:
    """Nobody's page: each test has cookies of its own."""
    context = chromium.new_context()
    opened = context.new_page()
    opened.set_default_timeout(MILLISECONDS)
    opened.goto(address)
    opened.get_by_role("button", name="Sign in").wait_for(timeout=MILLISECONDS)
    yield opened
    context.close()


def sign_in(page: Page, signing: Issuer, address: str) -> None:
    """Press the button, and come back from the issuer."""
    signing.asked.clear()
    back = page.expect_response(lambda one: "/oauth2callback" in one.url, timeout=MILLISECONDS)
    with back:
        page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(address)
    page.get_by_role("button", name=re.compile("Sign (in|out)")).first.wait_for()
    assert signing.asked == ["authorize", "token"]


def assert_nothing_leaks(page: Page, world: World) -> None:
    """No page, no row, no word of a claim: only what a stranger may read."""
    text = page.content()
    assert not [name for name in world.people if name in text]
    assert SUBJECT not in text
    assert "owner" not in text
    assert "Traceback" not in text
    assert page.get_by_role("link", name="Today", exact=True).count() == 0


@pytest.mark.parametrize("role", ["analyst", "support"])
def test_a_sign_in_gives_the_pages_of_the_role_in_the_claim(
    role: str, page: Page, signing: Issuer, address: str
) -> None:
    signing.signs_in(sub=SUBJECT, roles=[role])
    sign_in(page, signing, address)
    page.get_by_role("heading", name="Today", level=1).wait_for(timeout=MILLISECONDS)
    settle(page)
    for title, roles, _ in PAGES:
        links = page.get_by_role("link", name=title, exact=True)
        assert links.count() == (role in roles), title
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("button", name="Sign in").wait_for(timeout=MILLISECONDS)


@pytest.mark.parametrize(
    ("claims", "lasts"),
    [
        ({"sub": SUBJECT, "roles": ["owner"]}, 3600.0),
        ({"sub": SUBJECT}, 3600.0),
        # so lately that the sign-in itself allows for clocks that differ
        ({"sub": SUBJECT, "roles": ["admin"]}, -60.0),
    ],
    ids=["a role that there is not", "no role", "expired just now"],
)
def test_whoever_has_no_role_or_too_old_a_token_sees_one_sentence(
    claims: dict[str, object], lasts: float, page: Page, signing: Issuer, address: str, world: World
) -> None:
    signing.signs_in(lasts=lasts, **claims)
    sign_in(page, signing, address)
    expect(page.get_by_text(REFUSED)).to_be_visible(timeout=MILLISECONDS)
    assert_nothing_leaks(page, world)


@pytest.mark.parametrize(
    "wrong",
    [{"lasts": -4000.0}, {"aud": "another"}, {"iss": "http://127.0.0.1/"}, {"nonce": "n"}, None],
    ids=["expired", "for another client", "of another issuer", "of another sign-in", "forged"],
)
def test_a_token_that_is_not_right_signs_nobody_in(
    wrong: dict[str, object] | None, page: Page, signing: Issuer, address: str, world: World
) -> None:
    forged = {"key": RSAKey.generate_key(2048)} if wrong is None else wrong
    signing.signs_in(**{"sub": SUBJECT, "roles": ["admin"], **forged})
    sign_in(page, signing, address)
    expect(page.get_by_role("button", name="Sign in")).to_be_visible(timeout=MILLISECONDS)
    assert page.get_by_role("button", name="Sign out").count() == 0
    assert_nothing_leaks(page, world)


def test_without_a_sign_in_no_page_opens_by_its_address_or_a_made_up_cookie(
    page: Page, address: str, world: World
) -> None:
    page.context.add_cookies([{"name": "_streamlit_user", "value": "2|1:0|forged", "url": address}])
    for path in ("customer", "today", "governance"):
        page.goto(f"{address}{path}")
        page.get_by_role("button", name="Sign in").wait_for(timeout=MILLISECONDS)
        settle(page)
        assert_nothing_leaks(page, world)


def test_an_analyst_gets_no_customer_by_address_or_question(
    page: Page, signing: Issuer, address: str, world: World
) -> None:
    signing.signs_in(sub=SUBJECT, roles=["analyst"])
    sign_in(page, signing, address)
    customer = world.people[3]
    page.goto(f"{address}customer?customer={customer}")
    expect(page.get_by_role("dialog")).to_contain_text("not found", timeout=MILLISECONDS)
    settle(page)
    assert page.get_by_label("Customer id").count() == 0
    assert customer not in page.get_by_role("dialog").inner_text()
    page.goto(f"{address}ask")
    box = page.get_by_label("Question")
    box.fill(f"Why might {customer} churn?")
    box.press("Enter")
    refusal = page.get_by_test_id("stAlertContentWarning")
    refusal.wait_for()
    settle(page)
    assert customer not in refusal.inner_text()
    assert page.get_by_text("in Dagster").count() == 0
