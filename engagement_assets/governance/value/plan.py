"""A business case: what is expected of the programme, its parts, and what things cost.

Belongs here: reading and checking the file. Does not belong here: what was measured
(`measures.py`) and what that says of an expectation (`expectations.py`).
"""

import tomllib
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

EXAMPLE = Path(__file__).with_name("business_case.toml")
RETENTION, REVENUE, NET, ROI = "retention", "revenue_usd", "net_value_usd", "roi"
COST, SESSIONS, MINUTES = "cost_usd", "sessions", "session_minutes"
MINUTES_PER_SESSION, ENGAGEMENT = "minutes_per_session", "engagement"
# Logs of decisions that can be evaluated: `sql/value/<log>.sql`.
LOGS = ("action_log", "retention_offers")
METRICS = (
    RETENTION, REVENUE, SESSIONS, MINUTES, MINUTES_PER_SESSION, ENGAGEMENT, COST, NET, ROI,
)  # fmt: skip


class CaseError(ValueError):
    """A business case cannot be read; the message names the file and what is wrong."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Costs(_Part):
    """What the programme spends besides its offers.

    Attributes:
        notification_usd: Of sending one notification.
        action_usd: Of taking one next best action.
        infrastructure_usd_per_month: Of machines and people, however many customers there are.
    """

    notification_usd: float = Field(default=0.0, ge=0)
    action_usd: float = Field(default=0.0, ge=0)
    infrastructure_usd_per_month: float = Field(default=0.0, ge=0)


class Capability(_Part):
    """A part of the programme.

    Attributes:
        name: Its name.
        experiment: The experiment that measures it, or "".
        control: The variant without it.
        log: Its log of decisions, used where nobody is in the experiment, or "".
        baseline: The logged action that stands for doing nothing.
    """

    name: str = Field(min_length=1)
    experiment: str = ""
    control: str = "control"
    log: str = ""
    baseline: str = ""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.experiment and not self.log:
            raise ValueError(f"{self.name}: expected an experiment or a log")
        if self.log and self.log not in LOGS:
            raise ValueError(f"{self.name}: expected a log of {', '.join(LOGS)}")
        if self.log and not self.baseline:
            raise ValueError(f"{self.name}: expected the log's baseline, such as do_nothing")
        return self


class Expectation(_Part):
    """An expected change.

    Attributes:
        name: What is to change.
        metric: One of `METRICS`, or "" where nothing in the lake measures it.
        change: Relative change against who is held out; of `roi`, its value.
        measured: Relative change as measured elsewhere.
        low: Lower end of its 95 % interval.
        high: Upper end of it.
        source: Who measured it, and how.
    """

    name: str = Field(min_length=1)
    metric: str = ""
    change: float
    measured: float | None = None
    low: float | None = None
    high: float | None = None
    source: str = ""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.metric and self.metric not in METRICS:
            raise ValueError(f"{self.name}: expected a metric of {', '.join(METRICS)}")
        if self.change == 0.0:
            raise ValueError(f"{self.name}: a change of 0 cannot be shown to be met")
        figures = (self.measured, self.low, self.high)
        given = [one for one in figures if one is not None]
        if given and (len(given) < 3 or not self.source or self.metric):
            raise ValueError(
                f"{self.name}: what was measured elsewhere needs measured, low, high and source, "
                "and no metric"
            )
        if given and not given[1] <= given[0] <= given[2]:
            raise ValueError(f"{self.name}: expected low, measured and high in this order")
        return self


class Plan(_Part):
    """A whole business case.

    Raises:
        CaseError: Two parts or two expectations have one name.
    """

    costs: Costs = Costs()
    capabilities: tuple[Capability, ...] = ()
    expectations: tuple[Expectation, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> Self:
        for parts in (self.capabilities, self.expectations):
            names = [part.name for part in parts]
            if len(set(names)) < len(names):
                raise ValueError(f"two parts have one name: {', '.join(sorted(names))}")
        return self


def read_plan(path: str | Path = "") -> Plan:
    """Read a business case.

    Args:
        path: A TOML file, or "" for the example that is shipped.

    Raises:
        CaseError: It is not there, no TOML, or has unknown or illegal values.
    """
    file = Path(path) if path else EXAMPLE
    try:
        return Plan.model_validate(tomllib.loads(file.read_text()))
    except FileNotFoundError as error:
        raise CaseError(
            f"BUSINESS_CASE={file} is not there: name a TOML file such as {EXAMPLE.name}, or leave "
            "it empty for the example"
        ) from error
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()
        )
        raise CaseError(f"{file}: {problems}") from error
    # a folder, bytes that are no text, TOML's own errors, brackets thousands deep
    except (OSError, ValueError, RecursionError) as error:
        raise CaseError(f"{file} is not TOML: {error}") from error
