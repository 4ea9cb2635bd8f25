"""What a use case declares, a model or a decision, without loading a learning library.

Belongs here: the declaration. Does not belong here: the assets made from it (`assets.py`,
`daily.py`, `checks.py`) and what a use case does (`adapter.py` in its folder).
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypedDict

from engagement_assets.features.catalogue import KEY_COLUMNS
from engagement_assets.features.labels import LABELS
from engagement_assets.lifecycle.dates import TRAINING_SNAPSHOTS, Snapshots
from engagement_assets.lifecycle.gates import QualityGate
from resources.lake import Lake
from resources.tables import Column, Table

if TYPE_CHECKING:
    import pandas as pd

    from engagement_assets.lifecycle.adapter import ModelAdapter

REASONS = 3
Cadence = Literal["daily", "weekly", "quarterly"]


@dataclass(frozen=True, kw_only=True)
class FairnessSpec:
    """What a model's fairness report is about.

    Attributes:
        rule: What the check holds, a sentence.
        selection: What being selected, offered or shown something does to a customer: a benefit, or
            a harm, of which error rates are judged too where the truth is known.
        mitigations: Methods that the setting FAIRNESS_MITIGATION may apply to it.
        selected_are: What the product does with those who are selected; empty where none are.
        words: What a reader calls the measures, by name.
    """

    rule: str
    selection: Literal["benefit", "harm"]
    mitigations: tuple[str, ...] = ()
    selected_are: str = ""
    words: Mapping[str, str] = field(default_factory=dict)


# Of a model that selects those with the highest predicted numbers.
TOP_WORDS = {
    "base_rate": "truly in the top",
    "with_label": "of these selected",
    "without_label": "of the others selected",
    "calibration_ratio": "prediction to actual",
    "error_ratio": "error",
}


# A score between 0 and 1 that moves by less is no news.
LEAST_CHANGE = 0.05
# Stands for a row's reasons as one text where a column of a unified table is named.
REASONS_TEXT = "reasons"


@dataclass(frozen=True)
class Unified:
    """A column of a use case in `predictions/customers`, the table of all of them.

    Attributes:
        column: Its name in the use case's own output; `REASONS_TEXT` for the reasons as one text.
        name: Its name in the unified table; the same where empty.
        change: Name of its difference from the day before in `predictions/changes`, if it is there.
        least_change: The least difference that makes a row there; None: none does.
        compared: Whether both days' values stand there; another value makes a row, but reasons.
        breaks_down: Whether it is a group by which others are looked at: it stands beside every
            message of the outbox too.
    """

    column: str
    name: str = ""
    change: str | None = None
    least_change: float | None = None
    compared: bool = False
    breaks_down: bool = False

    @property
    def unified_name(self) -> str:
        """Its name in the unified table."""
        return self.name or self.column


@dataclass(frozen=True)
class Goal:
    """The score that counterfactuals of a model seek.

    Attributes:
        side: Whether it is to be at most (`below`) or at least (`above`) it.
        at: The score; None: the median of the day's customers.
        at_risk: Whether who has not reached it is at risk and advised before anybody asks.
    """

    side: Literal["below", "above"]
    at: float | None = None
    at_risk: bool = False


class PartFields(TypedDict):
    """What the asset of a part takes from the declaration, as arguments of Dagster's decorators."""

    key: list[str]
    description: str
    group_name: str
    owners: list[str]
    code_version: str


@dataclass(frozen=True, kw_only=True)
class UseCaseSpec:
    """Something learnt or decided: what every use case declares, whatever its kind.

    Attributes:
        PARTS: Nouns of its assets: what a training makes (candidate, evaluation, fairness,
            champion), then what each day makes.
        VERSION_COLUMN: Column of the version in each day's output.
        name: Asset group, registry name, and first part of every key.
        subject: What is predicted or decided, as it stands within a sentence.
        code_version: Changes when the same data would give another result.
        implementation: `module:class` of its adapter, loaded only where it is used.
        kinds: Badges of the candidate in the UI.
        learns_from: Tables that the candidate is learnt from, `<group>/<noun>`.
        predicts_from: Tables that each day's output is made from.
        required: Tables without a row of which it cannot be learnt.
        window_days: Days after a snapshot that must be known before it can be learnt from.
        snapshots: Most training snapshots.
        cadence: How often a candidate is trained.
        made_each: How often its daily parts are made: with every day, or weekly as of one day.
        gates: What a candidate must reach.
        comparison_metric: What champion and candidate are compared by.
        fairness: What its fairness report is about; None where it is not about people.
        columns: Columns of each day's output between the snapshot date and the version.
        key: Columns that name a row of it, besides the snapshot date.
        without_customer: Why no row of it is about one customer, where none is.
        score: The column whose drift is watched.
        texts: Description by part.
        purpose: What it is for and what it must not be used for.
        limits: Known limits, a sentence each.
        least_days: Days of history under which it cannot be learnt.
        reads_snapshots: Whether it is learnt from features at its snapshots, and not only from
            the events up to them.
        at_hand: Whether it is learnt at the latest snapshots that are there, and has none made.
        every_snapshot: Whether it is learnt from all snapshots at hand and not from the latest two.
        lineage: Further assets that the candidate is made from, of days of their own.
        reads_of_others: Tables of other models that its SQL reads, with or without rows.
        additive: Whether its reasons are contributions that add up to the score.
        additive_parts: Columns that add up to the score in each row, where it has such columns.
        online: Whether it answers for single customers while an application waits.
        listens_to: Models whose predictions of the day it reads.
        builds_on: Models without whose champions it cannot be learnt.
        placed_by_day: Whether a customer who is scored alone needs the day's reference.
        unified: Its columns in the unified table.
        unscored: Why a customer may have no row on a day, where some have none.
        parameters: Names of the settings that its adapter is given.
        tuned: Whether the job `automl` searches learner and hyperparameters for it.
        spends_privacy: Whether each training spends a budget of privacy, so that it is trained by a
            schedule of its own and never because another is.
        memory_mib: Memory that training asks for, in MiB.
        cpu_units: Processor that training asks for, in units of which a core has 1,024; Fargate
            takes certain pairs of processor and memory only.
        owners: Who answers for it.
        without: Parts of its kind that it lacks.
    """

    PARTS: ClassVar[tuple[str, ...]]
    VERSION_COLUMN: ClassVar[str]

    name: str
    subject: str
    code_version: str
    implementation: str
    kinds: frozenset[str]
    learns_from: tuple[str, ...]
    predicts_from: tuple[str, ...]
    required: tuple[str, ...]
    window_days: int
    snapshots: int = TRAINING_SNAPSHOTS
    cadence: Cadence = "quarterly"
    made_each: Cadence = "daily"
    gates: tuple[QualityGate, ...]
    comparison_metric: str
    fairness: FairnessSpec | None
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ("customer_id",)
    without_customer: str = ""
    score: str
    texts: Mapping[str, str]
    purpose: str
    limits: tuple[str, ...]
    least_days: int = 0
    reads_snapshots: bool = True
    at_hand: bool = False
    every_snapshot: bool = False
    lineage: tuple[str, ...] = ()
    reads_of_others: tuple[Table, ...] = ()
    additive: bool = True
    additive_parts: tuple[str, ...] = ()
    online: bool = True
    listens_to: tuple[str, ...] = ()
    builds_on: tuple[str, ...] = ()
    placed_by_day: bool = False
    unified: tuple[Unified, ...] = ()
    unscored: str | None = None
    parameters: tuple[str, ...] = ()
    tuned: bool = False
    spends_privacy: bool = False
    memory_mib: int = 4_096
    cpu_units: int = 2_048
    owners: list[str] = field(default_factory=lambda: ["team:data-science"])
    without: frozenset[str] = frozenset()

    @property
    def candidate(self) -> str:
        """Noun of what is trained."""
        return self.PARTS[0]

    @property
    def training_parts(self) -> tuple[str, ...]:
        """Nouns of what a training makes, the candidate first."""
        return tuple(part for part in self.PARTS[:4] if part not in self.without)

    @property
    def daily_parts(self) -> tuple[str, ...]:
        """Nouns of what each day makes, the table first."""
        return tuple(part for part in self.PARTS[4:] if part not in self.without)

    @property
    def output(self) -> str:
        """The table that each day makes."""
        return f"{self.name}/{self.daily_parts[0]}"

    @property
    def output_columns(self) -> tuple[Column, ...]:
        """Columns of each day's output between the snapshot date and the version."""
        return self.columns

    @cached_property
    def table(self) -> Table:
        """The table that each day makes."""
        version = Column(
            self.VERSION_COLUMN, "string", "Champion that made the row", nullable=False
        )
        keys = [
            column
            for column in KEY_COLUMNS
            if not (self.without_customer and column.names_customer)
        ]
        return Table(
            self.output,
            (*keys, *self.output_columns, version),
            description=self.texts[self.daily_parts[0]],
            unique=self.key,
            owner=self.owners[0],
            steady=True,
            without_customer=self.without_customer,
        )

    def nobody(self) -> pd.DataFrame:
        """Return its columns with no rows: nobody is scored."""
        import pandas as pd  # noqa: PLC0415 - declarations load without it

        names = ["customer_id", *(column.name for column in self.output_columns)]
        return pd.DataFrame({name: pd.Series(dtype=object) for name in names})

    def adapter(self) -> ModelAdapter:
        """Return its adapter; loads the learning libraries."""
        adapter: ModelAdapter = _loaded(self.implementation)()
        return adapter

    def asset_fields(self, noun: str) -> PartFields:
        """Return what the asset of a part takes from the declaration, but its table's."""
        return {
            "key": [self.name, noun],
            "description": self.texts[noun],
            "group_name": self.name,
            "owners": self.owners,
            "code_version": self.code_version,
        }

    def dates(self, last_day: date, *, first_day: date) -> Snapshots:
        """Return the snapshots to learn from and to be scored on, once `last_day` is ingested."""
        return Snapshots.before(
            last_day, first_day=first_day, count=self.snapshots, window_days=self.window_days
        )


@dataclass(frozen=True, kw_only=True)
class ModelSpec(UseCaseSpec):
    """A model: what is.

    Attributes:
        goal: The score that counterfactuals seek; None where there are none.
    """

    PARTS: ClassVar[tuple[str, ...]] = (
        "model",
        "evaluation",
        "fairness",
        "champion",
        "predictions",
        "explanations",
    )
    VERSION_COLUMN: ClassVar[str] = "model_version"

    goal: Goal | None = None

    @property
    def scores_customers(self) -> bool:
        """Whether each day has a row a customer, which is unified, published and served."""
        return self.key == ("customer_id",) and "predictions" in self.daily_parts

    @property
    def predictions(self) -> str:
        """The table of its predictions."""
        return self.output


@dataclass(frozen=True, kw_only=True)
class Action:
    """Something that may be done for a customer.

    Attributes:
        name: Name of the action.
        channel: How it reaches the customer, or None where nothing does.
        cost_usd: What it costs.
        consent: Purpose that the customer must have agreed to, or None.
        cooldown_days: Days before it may be done again.
    """

    name: str
    channel: str | None = None
    cost_usd: float = 0.0
    consent: str | None = None
    cooldown_days: int = 0


NO_ACTION = Action(name="none")


@dataclass(frozen=True, kw_only=True)
class Reward:
    """What an action is to bring.

    Attributes:
        table: Where it is measured.
        column: Its column.
        window_days: Days after the choice that it is measured over.
    """

    table: str
    column: str
    window_days: int


PROPENSITY = Column(
    "propensity", "float64", "Chance of the choice", "0-1", nullable=False, minimum=0, maximum=1
)


@dataclass(frozen=True, kw_only=True)
class DecisionSpec(UseCaseSpec):
    """A decision: what to do.

    Attributes:
        actions: What may be chosen, `NO_ACTION` among it.
        reward: What an action is to bring, or None where nothing measures it yet.
        baseline: `module:class` of the rule that a learnt policy must beat, and that decides until
            one does.
        implementation: `module:class` of the `LearntDecision`; empty where the baseline decides.
        withdrawn: Names of actions that logs may have and that are chosen no more.
        due: Whether what is chosen stands in `actions_due`.
        priority: Which decision comes first where several would contact a customer, the lowest.
        expected: Column of the choices with what the action is expected to bring in USD, by which
            equal priorities are ordered; empty where nothing says.
        hour: Column of the choices with the hour of the customer's clock at which they are to be
            contacted; empty where any is as good.
    """

    PARTS: ClassVar[tuple[str, ...]] = ("policy", "evaluation", "fairness", "champion", "choices")
    VERSION_COLUMN: ClassVar[str] = "policy_version"

    actions: tuple[Action, ...]
    reward: Reward | None = None
    baseline: str
    withdrawn: tuple[str, ...] = ()
    due: bool = False
    priority: int = 100
    expected: str = ""
    hour: str = ""
    implementation: str = ""
    kinds: frozenset[str] = frozenset({"python"})
    learns_from: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    window_days: int = 0
    gates: tuple[QualityGate, ...] = ()
    comparison_metric: str = ""
    fairness: FairnessSpec = FairnessSpec(rule="", selection="benefit")
    score: str = "propensity"
    reads_snapshots: bool = False

    def __post_init__(self) -> None:
        """Refuse actions of one name, and a decision that must act.

        Raises:
            ValueError: As said.
        """
        names = [*self.action_names, *self.withdrawn]
        if len(names) != len(set(names)) or NO_ACTION not in self.actions:
            raise ValueError(
                f"the actions of {self.name} must have distinct names and NO_ACTION among them, "
                f"got {', '.join(names)}"
            )

    @property
    def action_names(self) -> tuple[str, ...]:
        """Names of what may be chosen, in the order of every table of chances."""
        return tuple(action.name for action in self.actions)

    @property
    def learnt(self) -> bool:
        """Whether a policy is learnt, which the baseline stands in for until one serves."""
        return bool(self.implementation)

    @property
    def training_parts(self) -> tuple[str, ...]:
        """Nouns of what a training makes; nothing where a rule decides."""
        return super().training_parts if self.learnt else ()

    @property
    def choices(self) -> str:
        """The table of its choices."""
        return self.output

    @property
    def output_columns(self) -> tuple[Column, ...]:
        """What every choice has, and the decision's own columns."""
        return (
            Column("action", "string", "What is chosen, or none", nullable=False),
            PROPENSITY,
            Column("reason", "string", "Why, in words"),
            *self.columns,
        )

    def rule(self) -> Any:
        """Return the class of the rule: a `RulePolicy`, or a `ContextRule` to be beaten."""
        return _loaded(self.baseline)


def _loaded(implementation: str) -> Any:
    """Return what `module:name` names."""
    module, name = implementation.split(":")
    return getattr(importlib.import_module(module), name)


# Key of a card: days of each label that a version was learnt from.
LABEL_WINDOWS = "label_windows"


def label_windows(spec: UseCaseSpec) -> dict[str, int]:
    """Return the days that each label looks at which a use case learns from, as they are set."""
    labels = (label for label in LABELS.values() if label.key in spec.learns_from)
    return {label.name: label.window_days for label in labels}


def untrainable(
    spec: UseCaseSpec, lake: Lake, snapshots: Snapshots, *, first_day: date
) -> str | None:
    """Return why a use case cannot be learnt from a lake, or None where it can."""
    missing = [table for table in spec.required if not lake.has_rows(table)]
    if missing:
        return f"there are no rows in {', '.join(missing)}"
    if snapshots.train[0] < first_day:
        return (
            f"the data begin on {first_day}, and it is learnt from a snapshot on "
            f"{snapshots.train[0]} and scored on {snapshots.test}"
        )
    days = (snapshots.test - first_day).days + 1
    if days < spec.least_days:
        return f"there are {days} days of history, and it needs {spec.least_days}"
    return None


def share_column(name: str, meaning: str, *, nullable: bool = False) -> Column:
    """Return the column of a number between 0 and 1."""
    return Column(name, "float64", meaning, nullable=nullable, minimum=0, maximum=1)


def reason_columns(unit: str) -> tuple[Column, ...]:
    """Return the columns of a prediction's reasons, the strongest first, in a unit for people."""
    return tuple(
        column
        for n in range(1, REASONS + 1)
        for column in (
            Column(f"reason_{n}_feature", "string", f"Reason {n}: the feature"),
            Column(f"reason_{n}_value", "string", f"Reason {n}: its value"),
            Column(f"reason_{n}_typical", "string", f"Reason {n}: typical value"),
            Column(
                f"reason_{n}_contribution",
                "float64",
                f"Reason {n}: contribution",
                unit,
            ),
        )
    )
