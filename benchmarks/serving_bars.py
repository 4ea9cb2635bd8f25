"""The bars that publishing and the API are held to, and features and churn at a million customers.

Belongs here: the bars. Does not belong here: the table (`bars.py`) and measuring.
"""

from collections.abc import Callable
from typing import Any

from benchmarks.connection_limits import BOUNDED, PLAIN
from benchmarks.model_bars import Bar, Figures

SERVING, SOAK, FUZZ = (f"{name}-customers-100000" for name in ("serving", "soak", "fuzz"))
PUBLISH, PUBLISH_DYNAMODB = "publish-customers-100000", "publish-customers-5000-store-dynamodb"
MILLION = "million-customers-1000000"
CACHED = "cached read, 300/s for 60 s"
ON_DEMAND = "on demand, five scores with reasons, one after another"


def _figure(name: str, figure: str) -> Callable[[Figures], float]:
    return lambda figures: float(figures[name][figure])


def _at_most(
    what: str, part: str, name: str, figure: str, limit: float, unit: str, *, form: str = "{:.1f}"
) -> Bar:
    return (
        what,
        f"at most {limit:g} {unit}",
        part,
        _figure(name, figure),
        f"{form} {unit}",
        lambda v: v <= limit,
    )


def _server_errors(figures: Any) -> float:
    return float(sum(count for status, count in figures["statuses"].items() if status >= "500"))


def _none(what: str, part: str, read: Callable[[Figures], float]) -> Bar:
    return (what, "none", part, read, "{:.0f}", lambda v: v == 0)


SERVING_BARS: tuple[Bar, ...] = (
    _at_most("cached read, 300 requests/s for 60 s, p50", SERVING, CACHED, "p50_ms", 3, "ms"),
    _at_most("cached read, p99", SERVING, CACHED, "p99_ms", 10, "ms"),
    _none("cached read, errors", SERVING, _figure(CACHED, "errors")),
    (
        "cached read, most requests/s with p99 under 50 ms",
        "reported",
        SERVING,
        _figure("capacity", "rate"),
        "{:.0f}/s",
        lambda v: v > 0,
    ),
    _at_most("on demand, all scores with reasons, p50", SERVING, ON_DEMAND, "p50_ms", 25, "ms"),
    _at_most("on demand, all scores with reasons, p99", SERVING, ON_DEMAND, "p99_ms", 60, "ms"),
    (
        "start to ready",
        "under 5 s",
        SERVING,
        _figure("start to ready", "seconds"),
        "{:.2f} s",
        lambda v: v < 5,
    ),
    (
        "publish 100,000 customers to SQLite",
        "under 60 s",
        PUBLISH,
        lambda f: float(f["publish, s"]),
        "{:.1f} s",
        lambda v: v < 60,
    ),
    (
        "publish to a local server of DynamoDB's protocol",
        "reported",
        PUBLISH_DYNAMODB,
        lambda f: float(f["customers a second"]),
        "{:,.0f} customers/s",
        lambda v: v > 0,
    ),
    (
        "schemathesis, stateful, every endpoint, cases",
        "at least 20,000",
        FUZZ,
        lambda f: float(f["cases"] if f["operations_tested"] == f["operations"] else 0),
        "{:,.0f}",
        lambda v: v >= 20_000,
    ),
    _none("schemathesis, answers of 5xx", FUZZ, _server_errors),
    _none("schemathesis, checks that failed", FUZZ, lambda f: float(len(f["failures"]))),
    _none("soak, wrong answers and mixed days", SOAK, lambda f: float(len(f["wrong"]))),
    _none("soak, errors while the server was up", SOAK, lambda f: float(f["errors_while_up"])),
    (
        "features and churn at 1,000,000 customers, all stages",
        "under 60 minutes",
        MILLION,
        lambda f: sum(float(stage["seconds"]) for stage in f.values()) / 60,
        "{:.1f} minutes",
        lambda v: v < 60,
    ),
    (
        "its peak memory",
        "within the machine's 24 GiB",
        MILLION,
        lambda f: max(float(stage["peak_gib"]) for stage in f.values()),
        "{:.1f} GiB",
        lambda v: v < 24,
    ),
    *(
        (
            f"limits of connections: what they add to a stored read's {what}",
            "at most 10 %",
            "connection_limits",
            lambda f, figure=figure: f[BOUNDED][figure] / f[PLAIN][figure] - 1,
            "{:.1%}",
            lambda v: v <= 0.1,
        )
        for what, figure in (("median", "p50_ms"), ("seconds of a processor", "processor_ms"))
    ),
)
