"""The contract of the raw tables: one declaration a table.

It drives ingestion casts, quarantine rules, generated asset checks, the data dictionary, masking
and erasure. Belongs here: what a raw table must look like. Does not belong here: how rows are read
(`mapping.py`, `simulator/`), checked (`ingestion.py`) or stored (`resources.lake`).
"""

from dataclasses import dataclass, replace

from resources.tables import Column, Table

MAX_DURATION_SECONDS = 86_400
CONSENT_PURPOSES = ("analytics", "personalisation", "sentiment", "notifications", "federated")
INTERACTION_KINDS = ("view", "like", "comment", "share")
GENDERS = ("female", "male", "other", "undisclosed")


OWNER = "team:data-platform"
RECORDED_AT = Column(
    "recorded_at",
    "timestamp",
    "When the row became known (UTC); the row's event time where the source does not say",
    nullable=False,
)
WITHDRAWN_AT = "withdrawn_at"
CUSTOMERS, MERGES, WITHDRAWALS = "customers", "customer_merges", "withdrawals"
ERASURE_REQUESTS, CONSENTS = "erasure_requests", "consents"
COMPLAINTS = "complaints"


@dataclass(frozen=True, kw_only=True)
class SourceTable(Table):
    """One raw table; its noun is its name in a source.

    A row may come again with the same key and a later `recorded_at`: it is a new version, which
    holds from then on.

    Attributes:
        row_key: Columns that together name a row, of all its versions.
        event_time: The column that says when it happened.
        required: Whether the platform cannot run without it.
        ends: The column that says when a row ceased to hold.
        strangers: Customer columns that may name somebody who is no customer.
        draftable: Whether a file that looks like it may be drafted as it by `make map`.
    """

    row_key: tuple[str, ...]
    event_time: str
    required: bool
    ends: str
    strangers: tuple[str, ...] = ()
    draftable: bool = True


_ENDS = {
    WITHDRAWN_AT: "When the row was deleted or cancelled, null where not (UTC)",
    "closed_at": "When the account was closed, null where not (UTC)",
}


def _raw(
    name: str,
    meaning: str,
    row_key: tuple[str, ...],
    columns: tuple[Column, ...],
    *,
    event_time: str = "occurred_at",
    required: bool = False,
    strangers: tuple[str, ...] = (),
    ends: str = WITHDRAWN_AT,
) -> SourceTable:
    """A raw table; when a row ceased to hold and `recorded_at` are added as the last columns."""
    until = Column(ends, "timestamp", _ENDS[ends], not_before=event_time)
    return SourceTable(
        f"source/{name}",
        (*columns, until, RECORDED_AT),
        description=f"{meaning}. {'Required' if required else 'Optional'}. "
        f"Key: {', '.join(row_key)}; event time: {event_time}.",
        unique=(*row_key, RECORDED_AT.name),
        owner=OWNER,
        steady=True,
        row_key=row_key,
        event_time=event_time,
        required=required,
        ends=ends,
        strangers=strangers,
    )


def _id(name: str, meaning: str) -> Column:
    return Column(name, "string", meaning, nullable=False)


def _customer(name: str = "customer_id", meaning: str = "The customer") -> Column:
    return Column(name, "string", meaning, nullable=False, names_customer=True)


def _when(meaning: str, name: str = "occurred_at") -> Column:
    return Column(name, "timestamp", f"{meaning} (UTC)", nullable=False)


def _text(meaning: str) -> Column:
    return Column("text", "string", meaning, personal=True)


def _propensity(meaning: str, *, nullable: bool = True) -> Column:
    return Column("propensity", "float64", meaning, "0-1", nullable=nullable, minimum=0, maximum=1)


def _later(name: str, meaning: str) -> Column:
    return Column(name, "timestamp", f"{meaning} (UTC)", not_before="occurred_at")


_DECLARED = (
    _raw(
        "customers",
        "One person with an account",
        ("customer_id",),
        (
            _customer(),
            _when("When the account was made", "signed_up_at"),
            Column("birth_date", "date", "Date of birth", personal=True, generalised="decade"),
            Column("gender", "string", "Gender as stated", allowed=GENDERS),
            Column("location", "string", "Region of residence", generalised="place"),
            Column(
                "time_zone",
                "string",
                "Time zone of residence, a name of IANA's list",
                generalised="place",
            ),
            Column("account_type", "string", "Kind of account, such as free or premium"),
            Column("email", "string", "E-mail address", personal=True),
            Column("full_name", "string", "Name", personal=True),
            Column("phone", "string", "Telephone number", personal=True),
        ),
        event_time="signed_up_at",
        required=True,
        ends="closed_at",
    ),
    _raw(
        "sessions",
        "One visit of a customer to the app",
        ("session_id",),
        (
            _id("session_id", "The session"),
            _customer(),
            _when("When the session began"),
            Column(
                "duration_seconds",
                "float64",
                "Length of the session",
                "seconds",
                nullable=False,
                minimum=0,
                maximum=MAX_DURATION_SECONDS,
            ),
            Column("device", "string", "Kind of device"),
            Column("pages", "int64", "Pages seen", "pages", minimum=0),
            Column("impressions", "int64", "Items shown", "items", minimum=0),
            Column("clicks", "int64", "Items clicked", "items", minimum=0),
            Column(
                "scroll_depth", "float64", "Share of the page seen", "0-1", minimum=0, maximum=1
            ),
        ),
        required=True,
    ),
    _raw(
        "posts",
        "One post: of a customer, or of somebody else, such as a site or an editor",
        ("post_id",),
        (
            _id("post_id", "The post"),
            Column(
                "customer_id",
                "string",
                "The author; null, or somebody who is no customer, for editorial content",
                names_customer=True,
            ),
            _when("When it was published"),
            Column("category", "string", "Subject of the post"),
            _text("What it says"),
        ),
        strangers=("customer_id",),
    ),
    _raw(
        "messages",
        "One message from a customer to another",
        ("message_id",),
        (
            _id("message_id", "The message"),
            _customer(meaning="The sender"),
            _customer("recipient_id", "The recipient"),
            _when("When it was sent"),
            _later("replied_at", "When the recipient first replied, null where not (yet)"),
            _text("What it says, null where the app does not hold the text"),
        ),
    ),
    _raw(
        "interactions",
        "One view, like, comment or share of a post by a customer",
        ("interaction_id",),
        (
            _id("interaction_id", "The interaction"),
            _customer(meaning="Who interacted"),
            Column(
                "post_id",
                "string",
                "The post; it need not be in `posts`",
                nullable=False,
            ),
            Column("kind", "string", "What was done", nullable=False, allowed=INTERACTION_KINDS),
            _when("When"),
            _text("What a comment says"),
        ),
    ),
    _raw(
        "event_joins",
        "One customer joining one event",
        ("customer_id", "event_id"),
        (_customer(), _id("event_id", "The event"), _when("When the customer joined")),
    ),
    _raw(
        "connections",
        "One connection made between two customers",
        ("customer_id", "other_customer_id"),
        (
            _customer(meaning="Who asked"),
            _customer("other_customer_id", "Who accepted"),
            _when("When they connected"),
        ),
    ),
    _raw(
        "referrals",
        "One customer brought in by another",
        ("referral_id",),
        (
            _id("referral_id", "The referral"),
            _customer(meaning="The referrer"),
            _customer("referred_customer_id", "Who was brought in"),
            _when("When"),
        ),
    ),
    _raw(
        "transactions",
        "One payment by a customer",
        ("transaction_id",),
        (
            _id("transaction_id", "The payment"),
            _customer(),
            _when("When"),
            Column(
                "amount_usd",
                "float64",
                "Amount; negative for a refund",
                "USD",
                nullable=False,
                minimum=-100_000,
                maximum=100_000,
            ),
            Column("kind", "string", "What was paid for"),
        ),
    ),
    _raw(
        "premium_usage",
        "One use of a premium feature",
        ("customer_id", "feature", "occurred_at"),
        (_customer(), _id("feature", "The premium feature"), _when("When")),
    ),
    _raw(
        "gig_listings",
        "One gig that a customer offers",
        ("listing_id",),
        (_id("listing_id", "The listing"), _customer(meaning="Who offers it"), _when("When")),
    ),
    _raw(
        "gig_applications",
        "One application of a customer for a gig",
        ("application_id",),
        (
            _id("application_id", "The application"),
            _customer(meaning="Who applies"),
            _when("When"),
            _id("listing_id", "The listing applied for"),
        ),
    ),
    _raw(
        "job_ratings",
        "One rating of a customer's finished gig",
        ("rating_id",),
        (
            _id("rating_id", "The rating"),
            _customer(meaning="Who did the work"),
            _when("When it was rated"),
            _id("listing_id", "The listing"),
            Column("rating", "int64", "Rating", "1-5", nullable=False, minimum=1, maximum=5),
            Column("on_time", "bool", "Whether the work was on time"),
        ),
    ),
    _raw(
        "notifications",
        "One notification sent to a customer",
        ("notification_id",),
        (
            _id("notification_id", "The notification"),
            _customer(),
            _when("When it was sent"),
            _later("opened_at", "When it was opened, null where not (yet)"),
            _later("unsubscribed_at", "When it made the customer unsubscribe, null where not"),
            _propensity(
                "Probability with which its delay was chosen among those possible; null where "
                "nobody drew lots"
            ),
            Column(
                "delay_hours",
                "float64",
                "How long it was held back before it was sent",
                "hours",
                minimum=0,
            ),
            Column(
                "message_id",
                "string",
                "The message of `contact/outbox` that it delivered; null where the app sent it by "
                "itself",
            ),
        ),
    ),
    _raw(
        "action_log",
        "One marketing action taken on a customer, with the chance it had of being taken",
        ("action_id",),
        (
            _id("action_id", "The action taken"),
            _customer(),
            _when("When"),
            Column("action", "string", "Which action", nullable=False),
            _propensity("Probability with which this action was chosen", nullable=False),
            Column("time_of_day", "string", "Context: part of the day"),
            Column("last_action", "string", "Context: the action before"),
            Column("device", "string", "Context: device in use"),
            Column("completed", "bool", "Whether the customer did what was hoped for"),
        ),
    ),
    _raw(
        "experiment_assignments",
        "One customer put into one variant of an experiment",
        ("experiment", "customer_id"),
        (
            _id("experiment", "The experiment"),
            _customer(),
            _id("variant", "The variant: control or a treatment"),
            _when("When"),
            _propensity(
                "Probability with which this variant was given; null where nobody drew lots"
            ),
        ),
    ),
    _raw(
        "experiment_exposures",
        "One time at which a customer met what an experiment varies, in whatever variant",
        ("experiment", "customer_id", "occurred_at"),
        (_id("experiment", "The experiment"), _customer(), _when("When")),
    ),
    _raw(
        "retention_offers",
        "One offer made to a customer so that they stay",
        ("offer_id",),
        (
            _id("offer_id", "The offer made"),
            _customer(),
            _when("When it was made"),
            Column("offer", "string", "What was offered", nullable=False),
            Column("cost_usd", "float64", "What it costs when accepted", "USD", minimum=0),
            _propensity("Probability with which this offer was made to this customer"),
            _later("accepted_at", "When it was accepted, null where not (yet)"),
        ),
    ),
    _raw(
        CONSENTS,
        "One consent given or withdrawn; the latest of a customer and purpose holds",
        ("customer_id", "purpose", "occurred_at"),
        (
            _customer(),
            Column("purpose", "string", "For what", nullable=False, allowed=CONSENT_PURPOSES),
            Column("granted", "bool", "Given or withdrawn", nullable=False),
            _when("When"),
        ),
    ),
    replace(
        _raw(
            ERASURE_REQUESTS,
            "One customer who asked that everything about them be erased",
            ("customer_id",),
            (_customer(), _when("When they asked")),
        ),
        # Any log of customers and times looks like one, and would have everybody erased.
        draftable=False,
    ),
    _raw(
        "reviews",
        "One review of a customer by the trust team",
        ("customer_id", "occurred_at"),
        (
            _customer(),
            Column("confirmed_fraud", "bool", "Whether fraud was confirmed", nullable=False),
            _when("When"),
        ),
    ),
    _raw(
        COMPLAINTS,
        "One complaint of a customer",
        ("complaint_id",),
        (
            _id("complaint_id", "The complaint"),
            _customer(meaning="Who complained"),
            _when("When it was received"),
            Column("category", "string", "Subject of the complaint, such as price or privacy"),
            Column(
                "about",
                "string",
                "The model, policy or decision complained about, by its name in the platform; null "
                "where none is named",
            ),
            _text("What it says"),
            _later("resolved_at", "When it was answered for good, null where not (yet)"),
        ),
    ),
    _raw(
        MERGES,
        "One customer whose account was joined into another, which has its history from then on",
        ("merged_id",),
        (
            _customer("merged_id", "The customer who is no more"),
            _customer(meaning="The customer who has the history from then on"),
            _when("When the accounts were joined"),
        ),
    ),
    _raw(
        WITHDRAWALS,
        "One row of another table that was deleted, where the source sends its key alone",
        ("table", "row_key"),
        (
            Column("table", "string", "The raw table of the row", nullable=False),
            Column(
                "row_key",
                "string",
                "The row's key columns as text, joined by |",
                nullable=False,
                mentions_customer=True,
            ),
            Column("customer_id", "string", "Whom the row was about", names_customer=True),
            _when("When it was deleted"),
        ),
        strangers=("customer_id",),
    ),
)

TABLES: dict[str, SourceTable] = {table.noun: table for table in _DECLARED}
REQUIRED_TABLES = tuple(name for name, table in TABLES.items() if table.required)
