"""Whether the arms of an experiment may be compared at all.

Each test is at `LEVEL`, .001, over its own family: a sound experiment is seldom blocked, and what
is broken is broken badly enough to be seen (Fabijan et al., Diagnosing sample ratio mismatch in
online controlled experiments, KDD 2019).

Belongs here: the tests. Does not belong here: estimates (`estimates.py`), and what a report makes
of a finding (`analysis.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import chi2_contingency, chisquare, ttest_ind

LEVEL = 0.001
# Share of units that may be other than they should be before nothing is concluded.
TOLERATED = 0.01
# Expected units of an arm below which the chi-squared distribution does not hold.
_LEAST_EXPECTED = 5.0


class CovariateAfterAssignmentError(ValueError):
    """A covariate holds what came after the assignment, which the treatment may have changed."""


class TreatmentAfterOutcomeError(ValueError):
    """An outcome was counted from before the assignment, so it cannot be the treatment's."""


@dataclass(frozen=True)
class Finding:
    """What one test of validity says.

    Attributes:
        check: Its name.
        text: What it says, a sentence.
        blocks: Whether nothing may be concluded.
    """

    check: str
    text: str
    blocks: bool = False


def sample_ratio(counts: Mapping[str, int], shares: Mapping[str, float]) -> Finding:
    """Test whether the arms have the shares of units that they were to have.

    Args:
        counts: Units by variant.
        shares: The share that each variant was to have; relative to one another.

    Raises:
        ValueError: A share is no number greater than 0.
    """
    wrong = sorted(name for name, share in shares.items() if not 0.0 < share < np.inf)
    if wrong:
        raise ValueError(f"the shares of {', '.join(wrong)} must be numbers greater than 0")
    check = "sample ratio"
    strangers = sorted(set(counts) - set(shares))
    if strangers:
        return Finding(
            check, f"units have the variant {', '.join(strangers)}, which was not planned", True
        )
    observed = np.array([counts.get(name, 0) for name in shares], dtype=np.float64)
    weights = np.array(list(shares.values()), dtype=np.float64)
    expected = observed.sum() * weights / weights.sum()
    split = ", ".join(
        f"{name} {int(n):,} of {want:,.0f} expected"
        for name, n, want in zip(shares, observed, expected, strict=True)
    )
    if len(shares) < 2 or expected.min() < _LEAST_EXPECTED:
        return Finding(check, f"not judged, too few units: {split}")
    p = float(chisquare(observed, expected).pvalue)
    if p < LEVEL:
        return Finding(
            check,
            f"sample-ratio mismatch (p = {p:.2g}): {split}. Who is missing is not missing by "
            "chance, so no difference is the treatment's",
            True,
        )
    return Finding(check, f"as planned (p = {p:.2g}): {split}")


def balance(covariates: pd.DataFrame, variants: pd.Series, *, control: str) -> Finding:
    """Test whether the arms were alike before the assignment.

    Args:
        covariates: n rows of values from before it; null where a unit has none.
        variants: The n variants.
        control: The variant that the others are compared with.
    """
    check = "balance before"
    tests: list[tuple[float, str]] = []
    for name in covariates.columns:
        column = covariates[name].astype(np.float64)
        one = column[variants == control].dropna()
        for variant in sorted(set(variants) - {control}):
            two = column[variants == variant].dropna()
            if min(len(one), len(two)) < 2 or one.std() + two.std() == 0.0:
                continue
            p = float(ttest_ind(one, two, equal_var=False).pvalue)
            tests.append(
                (p, f"{name} was {two.mean():.4g} in {variant}, {one.mean():.4g} in {control}")
            )
    if not tests:
        return Finding(check, "not judged: nothing is known from before the assignment")
    p, text = min(tests)
    corrected = min(1.0, p * len(tests))
    if corrected < LEVEL:
        return Finding(
            check,
            f"the arms differed before anybody was treated (p = {corrected:.2g} over {len(tests)} "
            f"tests): {text}. The assignment was not random",
            True,
        )
    return Finding(check, f"the arms were alike in {len(tests)} comparisons (p = {corrected:.2g})")


def missing(outcome: pd.Series, variants: pd.Series, *, name: str) -> Finding:
    """Test whether an outcome is missing as often in each arm.

    Args:
        outcome: n values, null where missing.
        variants: The n variants.
        name: The metric's name.
    """
    check = f"missing {name}"
    table = pd.crosstab(variants, outcome.isna())
    lacks = int(outcome.isna().sum())
    if not lacks:
        return Finding(check, "no outcome is missing")
    shares = ", ".join(
        f"{share:.1%} of {variant}"
        for variant, share in outcome.isna().groupby(variants).mean().items()
    )
    if table.shape[1] < 2 or len(table) < 2:
        return Finding(check, f"the outcome is missing for {shares}")
    p = float(chi2_contingency(table.to_numpy()).pvalue)
    if p < LEVEL:
        return Finding(
            check,
            f"the outcome is missing for {shares} (p = {p:.2g}): missing not at random, so those "
            "who have one are not comparable",
            True,
        )
    return Finding(
        check, f"the outcome is missing for {shares}, as often by chance; they are left out"
    )


def changed(units: pd.DataFrame) -> tuple[pd.DataFrame, Finding]:
    """Leave each unit its first variant, and say how many were given another later.

    Args:
        units: Rows of unit, variant and assigned_at; a unit may have several.
    """
    first = units.sort_values(["assigned_at", "unit"], kind="stable").drop_duplicates("unit")
    many = units.groupby("unit")["variant"].nunique()
    number, share = int((many > 1).sum()), float((many > 1).mean()) if len(many) else 0.0
    text = (
        f"{number:,} units ({share:.1%}) were given another variant later; each counts as first "
        "assigned"
    )
    if not number:
        text = "no unit was given another variant later"
    if share > TOLERATED:
        text += ". The assignment was changed midway, so the variants are mixed"
    return first.sort_index(), Finding("assignment", text, share > TOLERATED)


def exposed(units: pd.DataFrame, exposures: pd.DataFrame) -> Finding:
    """Say who was exposed without an assignment, or before it.

    Args:
        units: Rows of unit and assigned_at, one a unit.
        exposures: Rows of unit and exposed_at.
    """
    first = exposures.groupby("unit")["exposed_at"].min()
    known = units.set_index("unit")["assigned_at"]
    strangers = int((~first.index.isin(known.index)).sum())
    assigned = first[first.index.isin(known.index)]
    early = int((assigned < known.reindex(assigned.index)).sum())
    share = (strangers + early) / len(first) if len(first) else 0.0
    seen = f"{len(assigned):,} of {len(known):,} assigned units were exposed"
    if not strangers and not early:
        return Finding("exposure", f"{seen}, none without an assignment or before it")
    text = f"{seen}; {strangers:,} were exposed without an assignment and {early:,} before theirs"
    if share > TOLERATED:
        text += ", so who was treated is not known"
    return Finding("exposure", text, share > TOLERATED)


def refuse_wrong_times(
    units: pd.DataFrame, *, outcome_from: Sequence[str], covariate_until: Sequence[str]
) -> None:
    """Refuse outcomes from before the assignment and covariates from after it.

    Args:
        units: Rows of assigned_at and of the columns of times that are named.
        outcome_from: Columns of times that outcomes were counted from.
        covariate_until: Columns of times that covariates were known by.

    Raises:
        TreatmentAfterOutcomeError: An outcome was counted from before the assignment, or it is not
            known since when.
        CovariateAfterAssignmentError: A covariate was known only after it.
    """
    for name in outcome_from:
        unknown = int(units[name].isna().sum())
        if unknown:
            raise TreatmentAfterOutcomeError(
                f"{name} is null for {unknown:,} units: since when their outcome was counted is "
                "not known"
            )
        early = int((units[name] < units["assigned_at"]).sum())
        if early:
            raise TreatmentAfterOutcomeError(
                f"{name} lies before assigned_at for {early:,} units: count their outcome from the "
                "assignment on"
            )
    for name in covariate_until:
        late = int((units[name] > units["assigned_at"]).sum())
        if late:
            raise CovariateAfterAssignmentError(
                f"{name} lies after assigned_at for {late:,} units: the treatment may have changed "
                "what was known by then; use values from before the assignment"
            )
