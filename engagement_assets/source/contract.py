"""The contract of the raw tables: one declaration a table.

It drives ingestion casts, quarantine rules, generated asset checks, the data dictionary, masking
and erasure. Belongs here: what a raw table must look like. Does not belong here: how rows are read
(`mapping.py`, `simulator/`), checked (`ingestion.py`) or stored (`resources.lake`).
"""

from dataclasses import dataclass

from resources.schema import Column, TableSchema

MAX_DURATION_SECONDS = 86_400
CONSENT_PURPOSES = ("analytics", "personalisation", "sentiment", "notifications", "federated")
INTERACTION_KINDS = ("view", "like", "comment", "share")
GENDERS = ("female", "male", "other", "undisclosed")


@dataclass(frozen=True)
class Field:
    """One column of a raw table.

    Attributes:
        name: Column name.
        type: A type of `resources.schema.ARROW_TYPES`.
        meaning: What it says, for the data dictionary.
        unit: Unit of a number, or "" where there is none.
        nullable: Whether a row without it is legal.
        minimum: Least legal value, inclusive.
        maximum: Greatest legal value, inclusive.
        allowed: The legal values of a closed list, or () for any.
        personal: Whether it is personal data: masked in logs, removed by an erasure.
        names_customer: Whether its value is a customer id, which must be known.
        not_before_event: Whether this time may not lie before the row's event time.
    """

    name: str
    type: str
    meaning: str
    unit: str = ""
    nullable: bool = True
    minimum: float | None = None
    maximum: float | None = None
    allowed: tuple[str, ...] = ()
    personal: bool = False
    names_customer: bool = False
    not_before_event: bool = False


RECORDED_AT = Field(
    "recorded_at",
    "timestamp",
    "When the row became known (UTC); the row's event time where the source does not say",
    nullable=False,
)


@dataclass(frozen=True)
class SourceTable:
    """One raw table.

    Attributes:
        name: Table name; its lake table is `source/<name>`.
        meaning: What one row is.
        key: Columns that together name a row.
        event_time: The column that says when it happened.
        own_fields: Columns without `recorded_at`, which every table has.
        required: Whether the platform cannot run without it.
        versioned: Whether a key may come again with a later `recorded_at`, replacing the earlier
            row from then on.
    """

    name: str
    meaning: str
    key: tuple[str, ...]
    event_time: str
    own_fields: tuple[Field, ...]
    required: bool = False
    versioned: bool = False

    @property
    def fields(self) -> tuple[Field, ...]:
        """All columns, `recorded_at` last."""
        return (*self.own_fields, RECORDED_AT)

    @property
    def schema(self) -> TableSchema:
        """The declared schema of its lake table."""
        return TableSchema(
            tuple(
                Column(
                    field.name,
                    field.type,
                    field.nullable,
                    f"{field.meaning} ({field.unit})" if field.unit else field.meaning,
                )
                for field in self.fields
            )
        )

    @property
    def customer_fields(self) -> tuple[str, ...]:
        """Columns whose value is a customer id."""
        return tuple(field.name for field in self.fields if field.names_customer)

    @property
    def personal_fields(self) -> tuple[str, ...]:
        """Columns that hold personal data."""
        return tuple(field.name for field in self.fields if field.personal)


def _id(name: str, meaning: str) -> Field:
    return Field(name, "string", meaning, nullable=False)


def _customer(name: str = "customer_id", meaning: str = "The customer") -> Field:
    return Field(name, "string", meaning, nullable=False, names_customer=True)


def _when(meaning: str, name: str = "occurred_at") -> Field:
    return Field(name, "timestamp", f"{meaning} (UTC)", nullable=False)


def _text(meaning: str) -> Field:
    return Field("text", "string", meaning, personal=True)


def _later(name: str, meaning: str) -> Field:
    return Field(name, "timestamp", f"{meaning} (UTC)", not_before_event=True)


_DECLARED = (
    SourceTable(
        "customers",
        "One person with an account; a later row for the same customer replaces the earlier",
        ("customer_id",),
        "signed_up_at",
        (
            _customer(),
            _when("When the account was made", "signed_up_at"),
            Field("birth_date", "date", "Date of birth", personal=True),
            Field("gender", "string", "Gender as stated", allowed=GENDERS),
            Field("location", "string", "Region of residence"),
            Field("account_type", "string", "Kind of account, such as free or premium"),
            Field("email", "string", "E-mail address", personal=True),
            Field("full_name", "string", "Name", personal=True),
            Field("phone", "string", "Telephone number", personal=True),
        ),
        required=True,
        versioned=True,
    ),
    SourceTable(
        "sessions",
        "One visit of a customer to the app",
        ("session_id",),
        "occurred_at",
        (
            _id("session_id", "The session"),
            _customer(),
            _when("When the session began"),
            Field(
                "duration_seconds",
                "float64",
                "Length of the session",
                "seconds",
                nullable=False,
                minimum=0,
                maximum=MAX_DURATION_SECONDS,
            ),
            Field("device", "string", "Kind of device"),
            Field("pages", "int64", "Pages seen", "pages", minimum=0),
            Field("impressions", "int64", "Items shown", "items", minimum=0),
            Field("clicks", "int64", "Items clicked", "items", minimum=0),
            Field("scroll_depth", "float64", "Share of the page seen", "0-1", minimum=0, maximum=1),
        ),
        required=True,
    ),
    SourceTable(
        "posts",
        "One post that a customer published",
        ("post_id",),
        "occurred_at",
        (
            _id("post_id", "The post"),
            _customer(meaning="The author"),
            _when("When it was published"),
            Field("category", "string", "Subject of the post"),
            _text("What it says"),
        ),
    ),
    SourceTable(
        "messages",
        "One message from a customer to another",
        ("message_id",),
        "occurred_at",
        (
            _id("message_id", "The message"),
            _customer(meaning="The sender"),
            _customer("recipient_id", "The recipient"),
            _when("When it was sent"),
            _later("replied_at", "When the recipient first replied, null where not (yet)"),
            _text("What it says, null where the app does not hold the text"),
        ),
    ),
    SourceTable(
        "interactions",
        "One view, like, comment or share of a post by a customer",
        ("interaction_id",),
        "occurred_at",
        (
            _id("interaction_id", "The interaction"),
            _customer(meaning="Who interacted"),
            Field(
                "post_id",
                "string",
                "The post; it need not be in `posts`",
                nullable=False,
            ),
            Field("kind", "string", "What was done", nullable=False, allowed=INTERACTION_KINDS),
            _when("When"),
            _text("What a comment says"),
        ),
    ),
    SourceTable(
        "event_joins",
        "One customer joining one event",
        ("customer_id", "event_id"),
        "occurred_at",
        (_customer(), _id("event_id", "The event"), _when("When the customer joined")),
    ),
    SourceTable(
        "connections",
        "One connection made between two customers",
        ("customer_id", "other_customer_id"),
        "occurred_at",
        (
            _customer(meaning="Who asked"),
            _customer("other_customer_id", "Who accepted"),
            _when("When they connected"),
        ),
    ),
    SourceTable(
        "referrals",
        "One customer brought in by another",
        ("referral_id",),
        "occurred_at",
        (
            _id("referral_id", "The referral"),
            _customer(meaning="The referrer"),
            _customer("referred_customer_id", "Who was brought in"),
            _when("When"),
        ),
    ),
    SourceTable(
        "transactions",
        "One payment by a customer",
        ("transaction_id",),
        "occurred_at",
        (
            _id("transaction_id", "The payment"),
            _customer(),
            _when("When"),
            Field(
                "amount_usd",
                "float64",
                "Amount; negative for a refund",
                "USD",
                nullable=False,
                minimum=-100_000,
                maximum=100_000,
            ),
            Field("kind", "string", "What was paid for"),
        ),
    ),
    SourceTable(
        "premium_usage",
        "One use of a premium feature",
        ("customer_id", "feature", "occurred_at"),
        "occurred_at",
        (_customer(), _id("feature", "The premium feature"), _when("When")),
    ),
    SourceTable(
        "gig_listings",
        "One gig that a customer offers",
        ("listing_id",),
        "occurred_at",
        (_id("listing_id", "The listing"), _customer(meaning="Who offers it"), _when("When")),
    ),
    SourceTable(
        "gig_applications",
        "One application of a customer for a gig",
        ("application_id",),
        "occurred_at",
        (
            _id("application_id", "The application"),
            _customer(meaning="Who applies"),
            _when("When"),
            _id("listing_id", "The listing applied for"),
        ),
    ),
    SourceTable(
        "job_ratings",
        "One rating of a customer's finished gig",
        ("rating_id",),
        "occurred_at",
        (
            _id("rating_id", "The rating"),
            _customer(meaning="Who did the work"),
            _when("When it was rated"),
            _id("listing_id", "The listing"),
            Field("rating", "int64", "Rating", "1-5", nullable=False, minimum=1, maximum=5),
            Field("on_time", "bool", "Whether the work was on time"),
        ),
    ),
    SourceTable(
        "notifications",
        "One notification sent to a customer",
        ("notification_id",),
        "occurred_at",
        (
            _id("notification_id", "The notification"),
            _customer(),
            _when("When it was sent"),
            _later("opened_at", "When it was opened, null where not (yet)"),
            _later("unsubscribed_at", "When it made the customer unsubscribe, null where not"),
        ),
    ),
    SourceTable(
        "action_log",
        "One marketing action taken on a customer, with the chance it had of being taken",
        ("action_id",),
        "occurred_at",
        (
            _id("action_id", "The action taken"),
            _customer(),
            _when("When"),
            Field("action", "string", "Which action", nullable=False),
            Field(
                "propensity",
                "float64",
                "Probability with which this action was chosen",
                "0-1",
                nullable=False,
                minimum=0,
                maximum=1,
            ),
            Field("time_of_day", "string", "Context: part of the day"),
            Field("last_action", "string", "Context: the action before"),
            Field("device", "string", "Context: device in use"),
            Field("completed", "bool", "Whether the customer did what was hoped for"),
        ),
    ),
    SourceTable(
        "experiment_assignments",
        "One customer put into one variant of an experiment",
        ("experiment", "customer_id"),
        "occurred_at",
        (
            _id("experiment", "The experiment"),
            _customer(),
            _id("variant", "The variant: control or a treatment"),
            _when("When"),
        ),
    ),
    SourceTable(
        "consents",
        "One consent given or withdrawn; the latest of a customer and purpose holds",
        ("customer_id", "purpose", "occurred_at"),
        "occurred_at",
        (
            _customer(),
            Field("purpose", "string", "For what", nullable=False, allowed=CONSENT_PURPOSES),
            Field("granted", "bool", "Given or withdrawn", nullable=False),
            _when("When"),
        ),
    ),
    SourceTable(
        "reviews",
        "One review of a customer by the trust team",
        ("customer_id", "occurred_at"),
        "occurred_at",
        (
            _customer(),
            Field("confirmed_fraud", "bool", "Whether fraud was confirmed", nullable=False),
            _when("When"),
        ),
    ),
)

TABLES: dict[str, SourceTable] = {table.name: table for table in _DECLARED}
REQUIRED_TABLES = tuple(name for name, table in TABLES.items() if table.required)
