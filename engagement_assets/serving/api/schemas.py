"""The bodies of requests and answers, as pydantic models that make the OpenAPI document.

Belongs here: shapes, bounds and examples. Does not belong here: filling them (`service.py`). What
follows the declarations of models and features is made from them, so it cannot differ.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, create_model

from engagement_assets.decisions.specs import DECISIONS
from engagement_assets.features.catalogue import FEATURES
from engagement_assets.features.feature import Feature
from engagement_assets.lifecycle.spec import UseCaseSpec
from engagement_assets.models.specs import MODELS
from engagement_assets.serving.records import EXPLAINED

EXAMPLE_ID = "c0000001"
ID_PATTERN = r"^[^\x00-\x1f\x7f]+$"
MOST_CUSTOMERS = 100
MOST_TEXTS = 32
TEXT_LENGTH = 5_000

CustomerId = Annotated[
    str,
    Field(
        min_length=1,
        max_length=256,
        pattern=ID_PATTERN,
        description="The customer's id as your source has it",
        examples=[EXAMPLE_ID],
    ),
]
ModelName: Any = Literal[tuple(spec.name for spec in EXPLAINED)]
_TYPES: dict[str, Any] = {"float64": float, "int64": int, "string": str, "bool": bool, "date": date}


class Strict(BaseModel):
    """Refuses members that it does not have."""

    model_config = ConfigDict(extra="forbid", strict=True, protected_namespaces=())


class Answer(BaseModel):
    """An answer; further members may come with later versions."""

    model_config = ConfigDict(protected_namespaces=())


def _model(name: str, base: type[BaseModel], members: dict[str, Any]) -> Any:
    """A model that follows a declaration."""
    make: Any = create_model
    return make(name, __base__=base, **members)


def _prediction(spec: UseCaseSpec) -> type[BaseModel]:
    members: dict[str, Any] = {
        column.name: (
            _TYPES[column.type] | None if column.nullable else _TYPES[column.type],
            Field(description=column.text),
        )
        for column in spec.output_columns
        if not column.name.startswith("reason_")
    }
    name = "".join(part.capitalize() for part in f"{spec.name}_{spec.daily_parts[0]}".split("_"))
    made: type[BaseModel] = _model(name, Answer, members)
    return made


def _predictions(name: str, specs: Iterable[UseCaseSpec], text: str) -> Any:
    members = {spec.name: (_prediction(spec) | None, Field(description=text)) for spec in specs}
    return _model(name, Answer, members)


Predictions: Any = _predictions(
    "Predictions", EXPLAINED, "What the model says; null where it does not score the customer"
)
Decisions: Any = _predictions(
    "Decisions", DECISIONS, "What is chosen; null where the customer is not judged"
)
ModelVersions: Any = _model(
    "ModelVersions",
    Answer,
    {
        spec.name: (
            str | None,
            Field(description=f"Version of {spec.name} that predicted; null without a champion"),
        )
        for spec in (*MODELS, *DECISIONS)
    },
)


class Heading(Answer):
    """What every answer about a customer says first."""

    customer_id: str
    snapshot_date: date = Field(description="Date at whose end (UTC) the features hold")
    snapshot_age_days: int = Field(description="Days from the snapshot date to today, UTC")
    release: str = Field(description="The published release that is served")
    served_from: Literal["cached", "computed"] = Field(
        description="`cached`: predicted with the day; `computed`: scored now by the champions"
    )
    model_versions: ModelVersions


class CustomerAnswer(Heading):
    """Everything that the models say of a customer."""

    predictions: Predictions
    decisions: Decisions
    actions_due: list[str] = Field(description="What the product's rules ask for")


class Reason(Answer):
    """Why a score is what it is: one feature."""

    feature: str
    meaning: str | None = Field(description="What the feature says; null for a derived input")
    value: str | None = Field(description="The customer's value, as people write it")
    typical: str | None = Field(description="The usual value")
    contribution: float | None = Field(description="By how much it moves the score (`unit`)")


class ExplanationAnswer(Heading):
    """Why a model says what it says of a customer."""

    model: ModelName
    prediction: dict[str, Any] | None = Field(
        description="What is explained; null where the model does not score the customer"
    )
    reasons: list[Reason] = Field(description="The strongest first")
    unit: str | None = Field(
        description="Unit of the contributions; null of a model that gives no reasons"
    )


class RecommendationAnswer(Heading):
    """Posts to show a customer."""

    items: list[str] = Field(description="Ids of posts, best first")
    list_source: str = Field(description="What brought most of them in")
    withheld: str | None = Field(description="Why there are none, or null")


class BatchRequest(Strict):
    """Up to 100 customers."""

    customer_ids: list[CustomerId] = Field(
        min_length=1, max_length=MOST_CUSTOMERS, examples=[[EXAMPLE_ID, "c0000002"]]
    )


class BatchAnswer(Answer):
    """All of one release."""

    customers: list[CustomerAnswer]
    unknown: list[str] = Field(description="Ids of whom nothing is known")


def _whole(value: object) -> object:
    """JSON does not tell 3.0 from 3, and pandas writes whole numbers among nulls as floats."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _feature(feature: Feature) -> tuple[Any, Any]:
    bounds: dict[str, Any] = {
        name: value
        for name, value in (("ge", feature.minimum), ("le", feature.maximum))
        if value is not None
    }
    kind: Any = _TYPES[feature.type]
    if feature.type == "int64":
        # what JSON carries exactly everywhere (RFC 8259, section 6)
        within: dict[str, Any] = {"ge": 1 - 2**53, "le": 2**53 - 1}
        within |= {name: int(value) for name, value in bounds.items()}
        kind, bounds = Annotated[int, Field(**within), BeforeValidator(_whole)], {}
    if feature.allowed:
        kind = Literal[feature.allowed]
    elif feature.type == "string":
        bounds = {"max_length": 256}
    elif feature.type == "float64":
        bounds = {"ge": -1e30, "le": 1e30} | bounds
    member = Field(default=None, description=feature.text)
    return (Annotated[kind, Field(**bounds)] | None, member)


Features: Any = _model(
    "Features",
    Strict,
    {name: _feature(feature) for name, feature in FEATURES.items()},
)


def _day(value: object) -> date:
    """A date as JSON has it; pydantic alone would take numbers and times for dates."""
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        raise ValueError("write a date as YYYY-MM-DD")
    return date.fromisoformat(value)


Day = Annotated[date, BeforeValidator(_day)]


class CustomerFeatures(Strict):
    """One customer to be scored."""

    customer_id: CustomerId
    features: Features


_SCORE_EXAMPLE: Any = {
    "customers": [
        {
            "customer_id": "somebody",
            "features": {
                "age": 31,
                "tenure_days": 400,
                "logins_month": 22,
                "active_days_month": 14,
                "days_since_last_login": 1,
                "session_minutes_month": 310.5,
            },
        }
    ]
}


class ScoreRequest(Strict):
    """Customers with their features; a feature that is left out is unknown."""

    model_config = ConfigDict(json_schema_extra={"example": _SCORE_EXAMPLE})

    customers: list[CustomerFeatures] = Field(min_length=1, max_length=MOST_CUSTOMERS)
    snapshot_date: Day | None = Field(
        default=None, description="Date of the features; that of the release when left out"
    )


class ScoredCustomer(CustomerAnswer):
    """What the champions say of features that were sent."""

    explanations: dict[str, list[Reason]]


class ScoreAnswer(Answer):
    """In the order of the request."""

    customers: list[ScoredCustomer]


def _stated(consent: Any) -> Any:
    """Only `true` is a statement: in Python 1 is equal to it."""
    if consent is not True:
        raise ValueError("the writer's consent must be stated: true")
    return consent


class SentimentRequest(Strict):
    """Texts, and the caller's statement that their writer agreed."""

    consent: Annotated[Literal[True], BeforeValidator(_stated)] = Field(
        description="Whether the writer of the texts agreed to sentiment analysis; without it "
        "nothing is read"
    )
    texts: list[Annotated[str, Field(max_length=TEXT_LENGTH)]] = Field(
        min_length=1, max_length=MOST_TEXTS, examples=[["what a lovely morning"]]
    )


class TextSentiment(Answer):
    """The sentiment of one text; all null where nothing in it can be read."""

    score: float | None = Field(description="-1 (negative) to 1 (positive)")
    p_negative: float | None
    p_neutral: float | None
    p_positive: float | None
    emotion: str | None
    p_anger: float | None
    p_joy: float | None
    p_optimism: float | None
    p_sadness: float | None


class SentimentAnswer(Answer):
    """In the order of the texts, which are kept nowhere."""

    model_version: str
    texts: list[TextSentiment]


class ModelAnswer(Answer):
    """A model that serves."""

    name: str
    version: str | None = Field(description="The champion, or null")
    subject: str = Field(description="What is predicted")
    purpose: str
    limits: list[str]
    training_snapshot: date | None
    test_snapshot: date | None
    registered_at: datetime | None
    metrics: dict[str, Any] = Field(description="Measured on customers or days it had not seen")


class ModelsAnswer(Answer):
    """Every model."""

    models: list[ModelAnswer]


class HealthAnswer(Answer):
    """The process answers."""

    status: Literal["ok"]


class ReadyAnswer(Answer):
    """Whether requests can be answered, and how old the answers are."""

    status: Literal["ready"]
    release: str
    snapshot_date: date
    snapshot_age_days: int
    published_at: datetime | None
    models: ModelVersions
    unavailable: list[str] = Field(
        description="Models and decisions whose champion cannot be opened; what was stored of them "
        "is served, and they are tried again each minute"
    )


class ProblemAnswer(Answer):
    """An error (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str = Field(description="Name it when you ask us")
    errors: list[dict[str, str]] | None = None


class UnknownCustomer(ProblemAnswer):
    """Nothing is known of the customer; a list for somebody unknown."""

    recommendations: dict[str, Any]
