"""How experiments were planned, as a TOML file says it, and sensible plans for those it leaves out.

    [premium_upgrade]
    tests = "Whether a premium account makes people use the app more"
    control = "control"
    shares = {control = 0.5, treatment = 0.5}
    primary = ["engagement"]
    guardrails = ["unsubscribed", "negative_text_share"]
    group = "pricing"
    planned_customers = 2000

Every line may be left out. Experiments of a `group` exclude each other. Shares are those of the
logged propensities where they are left out.

Belongs here: plans. Does not belong here: what is measured (`measuring.py`).
"""

import tomllib
from collections.abc import Collection, Mapping
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    ValidationError,
    model_validator,
)

from engagement_assets.decisions.experiments.metrics import GUARDRAILS, METRICS, PRIMARY

# Names of a control where a plan names none.
CONTROLS = ("control", "holdout")
PLANNED_CUSTOMERS = 1_000
# More people than there are.
MOST_CUSTOMERS = 10_000_000_000


class PlanError(ValueError):
    """A plan cannot be read; the message names the experiment, what was expected, what to do."""


class Plan(BaseModel):
    """One experiment's plan.

    Attributes:
        name: The experiment.
        tests: What is tested, a sentence.
        control: The variant that the others are compared with; empty for `control`, or `holdout`
            where that is a variant.
        shares: The share that each variant is to have; empty to take the logged propensities.
        primary: Metrics that decide.
        guardrails: Metrics that stop it when they are worse.
        group: Experiments of one group exclude each other.
        planned_customers: Customers of both arms near which intervals are narrowest.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    tests: str = ""
    control: str = ""
    shares: Mapping[str, FiniteFloat] = Field(default_factory=dict)
    primary: tuple[str, ...] = PRIMARY
    guardrails: tuple[str, ...] = GUARDRAILS
    group: str = ""
    planned_customers: int = Field(default=PLANNED_CUSTOMERS, ge=1, le=MOST_CUSTOMERS)

    @model_validator(mode="after")
    def _check(self) -> "Plan":
        unknown = sorted({*self.primary, *self.guardrails} - set(METRICS))
        if unknown:
            raise ValueError(f"no metric {', '.join(unknown)}: choose of {', '.join(METRICS)}")
        both = sorted(set(self.primary) & set(self.guardrails))
        if both:
            raise ValueError(f"{', '.join(both)} cannot be in both primary and guardrails")
        # written so that no number that is none passes
        if self.shares and not (
            min(self.shares.values()) > 0.0 and abs(sum(self.shares.values()) - 1.0) <= 1e-6
        ):
            raise ValueError("shares must be greater than 0 and sum to 1")
        if self.shares and self.control_of(self.shares) not in self.shares:
            raise ValueError(f"shares lack the control, {self.control_of(self.shares)}")
        return self

    def control_of(self, variants: Collection[str]) -> str:
        """The variant that the others are compared with, of those that there are."""
        usual = (name for name in CONTROLS if name in variants)
        return self.control or next(usual, CONTROLS[0])

    def role(self, metric: str) -> Literal["primary", "secondary", "guardrail"]:
        """What a metric is in this experiment."""
        if metric in self.primary:
            return "primary"
        return "guardrail" if metric in self.guardrails else "secondary"


def read_plans(text: str) -> dict[str, Plan]:
    """Return the plans of a TOML file, by experiment.

    Raises:
        PlanError: It is not TOML, or a plan has an unknown name or an illegal value.
    """
    try:
        given = tomllib.loads(text)
    # TOML's own errors, a number of too many digits, brackets thousands deep
    except (ValueError, RecursionError) as error:
        raise PlanError(f"the plans of experiments are not TOML: {error}") from error
    return {name: _plan(name, values) for name, values in given.items()}


def _plan(name: str, values: Any) -> Plan:
    if not isinstance(values, dict):
        raise PlanError(f"{name}: expected a table such as [{name}], with a line a value")
    if "name" in values:
        raise PlanError(f"[{name}] has a line `name`: its name is what stands in the brackets")
    try:
        return Plan(name=name, **values)
    except ValidationError as error:
        wrong = "; ".join(
            ": ".join([*map(str, problem["loc"]), problem["msg"]]) for problem in error.errors()
        )
        raise PlanError(f"the plan of experiment {name}: {wrong}") from error
