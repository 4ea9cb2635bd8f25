"""The dashboard as Streamlit runs it: who looks, and which pages they have.

Belongs here: sign-in, navigation and what a page asks. Does not belong here: what pages show
(`views/`) and who may see them (`access.py`).
"""

import logging
import os
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from upath import UPath

from engagement_assets.chat.assistant import LONGEST
from engagement_assets.chat.facts import Answer
from engagement_assets.chat.opening import Assistants
from engagement_assets.dashboard.access import (
    ANALYSTS,
    EVERYBODY,
    GIVEN,
    GOVERNANCE,
    REFUSED,
    REVIEWERS,
    SEE_CUSTOMERS,
    Token,
    Viewer,
    scopes_of,
    viewer_by_claims,
    viewer_by_token,
)
from engagement_assets.dashboard.pictures import Document, Picture, asset_url
from engagement_assets.dashboard.reading import Reader
from engagement_assets.dashboard.showing import show, small, table
from engagement_assets.dashboard.views import (
    customer,
    decisions,
    experiments,
    forecast,
    governance,
    models,
    network,
    review,
    segments,
    today,
)
from engagement_assets.deployments.resources import resources_of
from engagement_assets.governance import nist_csf
from engagement_assets.governance.privacy.masking import Masking
from engagement_assets.governance.review import ReviewError, desk_of
from engagement_assets.governance.review.desk import MOST_NOTE
from engagement_assets.governance.tables import REVIEW_QUEUE
from engagement_assets.learning.escaping import plain, visible
from engagement_assets.settings.chat import ChatSettings
from engagement_assets.settings.dashboard import DashboardSettings
from engagement_assets.settings.installation import Settings, current_home
from resources.files import DamagedFileError, parsed
from resources.lake import LakeError
from resources.registry import RegistryError

log = logging.getLogger(__name__)
NO_FRAUD, FRAUD = "no fraud", "fraud"
Draw = Callable[[Viewer, DashboardSettings], None]


@st.cache_resource(ttl=300)
def _resources_of_home(home: Path) -> dict:
    return resources_of(Settings.load(home))


@st.cache_resource(ttl=300)
def _assistants_of_home(home: Path) -> Assistants:
    return Assistants.of(_resources_of_home(home), ChatSettings())


def _resources() -> dict:
    return _resources_of_home(current_home())


def _reader(viewer: Viewer) -> Reader:
    own = _resources()
    home = current_home()

    def masking() -> Masking:
        return Masking.of(Settings.load(home), own["erasures"].erasures.root)

    reports = own["reports"]
    return Reader(
        own["lake"].lake,
        own["registry"].registry,
        UPath(reports.root, **reports.options),
        viewer.sees_customers,
        masking,
    )


def _viewer(settings: DashboardSettings, *, now: datetime) -> Viewer | None:
    if settings.sign_in == "oidc":
        if not st.user.is_logged_in:
            st.button("Sign in", on_click=st.login)
            return None
        viewer = viewer_by_claims(st.user.to_dict(), settings.roles_claim, now=now)
        st.sidebar.button("Sign out", on_click=st.logout)
        if viewer is None:
            st.error("You are signed in, but have no role here, or your sign-in has expired.")
        return viewer
    given = st.query_params.get(GIVEN)
    if given:
        # out of the address, so that it is neither shared nor seen
        st.session_state[GIVEN] = given
        del st.query_params[GIVEN]
    token = Token.from_environ(os.environ)
    viewer = viewer_by_token(token, st.session_state.get(GIVEN, ""), settings.role, now=now)
    if viewer is None:
        st.title("Engagement")
        st.error(REFUSED)
    return viewer


def _today(viewer: Viewer, settings: DashboardSettings) -> None:
    st.title("Today")
    reader, day = _reader(viewer), datetime.now(UTC).date()
    days, text = today.age(reader, today=day)
    (st.info if days is not None and days <= 1 else st.warning)(text)
    show(today.pictures(reader, today=day), dagster=settings.dagster_url)
    st.subheader("Alerts", anchor=False)
    rows = today.alerts(_alerts(), words=viewer.sees_customers)
    if rows.empty:
        st.info("No check and no run has failed.")
    else:
        table(rows)


def _alerts() -> list[dict]:
    sink = _resources()["alerts"]
    path = UPath(sink.log_path, **sink.options)
    lines = path.read_bytes().splitlines() if path.exists() else []
    return [parsed(path, line, line=number) for number, line in enumerate(lines, 1)]


def _customer(viewer: Viewer, settings: DashboardSettings) -> None:
    st.title("Customer")
    asked = st.text_input("Customer id", key="customer", placeholder="c0000001").strip()
    if not asked:
        st.info("Write the id of a customer, such as support has it from the app.")
        return
    made = customer.pictures(_reader(viewer), asked)
    if not made:
        st.warning("There is no such customer in the newest snapshot.")
        return
    show(made, dagster=settings.dagster_url)


def _models(viewer: Viewer, settings: DashboardSettings) -> None:
    st.title("Models")
    names = list(models.SPECS)
    chosen = st.selectbox("Model", names, format_func=lambda name: name.replace("_", " "))
    reader = _reader(viewer)
    show(models.pictures(reader, chosen), dagster=settings.dagster_url)
    # reads two snapshots whole, so only where somebody asks
    if st.button("Compare its inputs with those that it learnt from"):
        show([models.inputs(reader, chosen)], dagster=settings.dagster_url)


def _review(viewer: Viewer, settings: DashboardSettings) -> None:
    st.title("Review")
    desk = desk_of(_resources())
    items = desk.queue()
    show(
        [review.cases(items, day=_reader(viewer).last_day(REVIEW_QUEUE))],
        dagster=settings.dagster_url,
    )
    names = review.open_cases(items)
    if not names:
        return
    with st.form("verdict", clear_on_submit=True):
        chosen = st.selectbox("Case", names, format_func=visible)
        verdict = st.radio("Verdict", [NO_FRAUD, FRAUD], index=None)
        note = st.text_area("Why", max_chars=MOST_NOTE)
        take = st.form_submit_button("Take the case")
        give = st.form_submit_button("Give the verdict")
    try:
        if take:
            desk.assign(chosen, by=viewer.name)
        elif give and verdict is None:
            raise ReviewError("choose a verdict first")
        elif give:
            desk.give_verdict(chosen, by=viewer.name, fraud=verdict == FRAUD, note=note)
    except ReviewError as error:
        st.error(plain(str(error)))
        return
    if take or give:
        st.rerun()


def _governance(viewer: Viewer, settings: DashboardSettings) -> None:
    st.title("Governance")
    certificates = _resources()["erasures"].erasures.certificates()
    show(governance.pictures(_reader(viewer), certificates), dagster=settings.dagster_url)
    with st.expander("Answers to NIST CSF 2.0, of the software as it is shipped"):
        st.markdown(nist_csf.document())


def _ask(viewer: Viewer, settings: DashboardSettings) -> None:
    st.title("Ask")
    question = st.text_input(
        "Question",
        max_chars=LONGEST,
        placeholder="Which region has the highest mean engagement score?",
    ).strip()
    if not question:
        st.info("Figures come from the tables; what no table answers is refused.")
        return
    # the page runs again with each press of a button: a question is asked once
    if st.session_state.get("asked", ("",))[0] != question:
        place = st.empty()
        answer = _assistants_of_home(current_home())().ask(
            question,
            scopes=scopes_of(viewer),
            by=viewer.name,
            # what a language model writes is seen as it comes, as far as it binds
            on_text=lambda text: _write(place, text),
        )
        place.empty()
        st.session_state["asked"] = (question, answer)
    answer = st.session_state["asked"][1]
    (st.warning if answer.refusal else st.success)(plain(answer.readable))
    _thumbs(answer, viewer)
    for fact in answer.facts:
        assets = fact.source.split(" and ")
        links = " and ".join(f"[{key}]({asset_url(settings.dagster_url, key)})" for key in assets)
        small(f"{fact.id}: as of {fact.day}, from {links} in Dagster")
        if fact.sql:
            # without colours, of which some are too pale for many eyes
            st.code(fact.sql, language=None, wrap_lines=True)


def _write(place: DeltaGenerator, text: str) -> None:
    place.text(text)


def _thumbs(answer: Answer, viewer: Viewer) -> None:
    """Ask whether an answer helped, and keep what is said."""
    chosen = st.feedback("thumbs", key=f"feedback-{answer.id}")
    given = st.session_state.setdefault("feedback", {})
    if chosen is None or given.get(answer.id) == chosen:
        return
    _resources()["questions"].log.add_feedback(answer.id, by=viewer.name, helpful=chosen == 1)
    given[answer.id] = chosen
    small("Thank you: this is kept with the question.")


def _plain(title: str, pictures: Callable[[Reader], Iterable[Picture | Document]]) -> Draw:
    def draw(viewer: Viewer, settings: DashboardSettings) -> None:
        st.title(title)
        show(pictures(_reader(viewer)), dagster=settings.dagster_url)

    return draw


PAGES: tuple[tuple[str, frozenset[str], Draw], ...] = (
    ("Today", EVERYBODY, _today),
    ("Customer", SEE_CUSTOMERS, _customer),
    ("Segments", ANALYSTS, _plain("Segments", segments.pictures)),
    ("Forecast", ANALYSTS, _plain("Forecast", forecast.pictures)),
    (
        "Experiments and value",
        ANALYSTS,
        _plain("Experiments and value", experiments.pictures),
    ),
    ("Network", ANALYSTS, _plain("Network", network.pictures)),
    ("Models", GOVERNANCE, _models),
    ("Decisions", ANALYSTS, _plain("Decisions", decisions.pictures)),
    ("Review", REVIEWERS, _review),
    ("Ask", EVERYBODY, _ask),
    ("Governance", GOVERNANCE, _governance),
)


def main() -> None:
    """Run a page for whoever looks."""
    st.set_page_config(page_title="Engagement", layout="centered")
    settings = DashboardSettings()
    viewer = _viewer(settings, now=datetime.now(UTC))
    if viewer is None:
        return
    seen = [
        st.Page(_guarded(draw, viewer, settings), title=title, url_path=title.lower().split()[0])
        for title, roles, draw in PAGES
        if viewer.may_see(roles)
    ]
    st.navigation(seen).run()


def _guarded(draw: Draw, viewer: Viewer, settings: DashboardSettings) -> Callable[[], None]:
    def page() -> None:
        try:
            draw(viewer, settings)
        except (LakeError, DamagedFileError, RegistryError):
            log.exception("a page could not be read")
            st.error(
                "What this page shows cannot be read now; the log of the dashboard says which."
            )

    return page


if __name__ == "__main__":
    main()
