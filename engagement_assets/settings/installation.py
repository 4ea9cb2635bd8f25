"""Settings of one installation: its source, dates, costs, and where its data lie.

A home is one folder for one source: its lake, models, reports, alerts and Dagster's own records.
`make run` writes `settings.json` there, so that `make dev` and every run that the UI starts see the
same settings. Belongs here: reading, checking and writing settings. Does not belong here: which
resources they make (`deployment.py`).
"""

import json
import math
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Self

PROJECT = Path(__file__).resolve().parents[2]
SIMULATED = "simulator"
MAPPINGS = PROJECT / "sql" / "source"
HOME_VARIABLE = "ENGAGEMENT_HOME"
SETTINGS_VARIABLE = "ENGAGEMENT_SETTINGS"
SETTINGS_FILE = "settings.json"
POINTER_FILE = "current"
# not named after a group of tables: DuckDB calls a database by its file
CATALOGUE_FILE = "lake.duckdb"
ONLINE_FILE = "online.sqlite"
# What decides the rows of a lake: changing one of them in place would mix two worlds.
WORLD = ("source", "source_data", "customers", "seed", "days")
VIRALITY_ESTIMATORS = ("auto", "linear", "boosted", "lstm")
RECOMMENDERS = ("auto", "popularity", "ease", "als", "neural", "hybrid")
CHANNEL_CAC = "organic=2,referral=8,social=18,search=30"
MIN_DAYS = 91
MAX_DAYS = 3_650
# Settings whose name on the command line is not that of the field.
NAMES = {"last_day": "DATE", "webhook_url": "WEBHOOK"}


class SettingsError(ValueError):
    """A setting has no legal value; the message names it and says what is."""


@dataclass(frozen=True)
class Settings:
    """One installation's settings; the README's table says when to change each.

    Attributes:
        home: Folder for everything that is made.
        source: `simulator`, or a folder of `sql/source/`.
        source_data: Folder or URL of the raw files, for a mapped source.
        customers: Number of simulated customers.
        days: Days of simulated history.
        seed: Seed of the simulator and the models.
        first_day: First partition; fixed when the home is made.
        last_day: Last day to take in; yesterday (UTC) when None.
        ends: Whether the source ends on `last_day`, so that later partitions do not exist.
        cost_lost_customer: What a lost customer costs, in USD.
        cost_intervention: What one retention intervention costs, in USD.
        save_rate: Share of contacted churners that an intervention keeps, 0 to 1.
        bootstrap: Bootstrap resamples behind each interval.
        threads: Threads of one run.
        webhook_url: Where alerts are posted besides the log; nowhere when empty.
        text_encoder: Hugging Face name or local folder of the encoder that the sentiment adapter
            was trained on; the built-in one when empty.
        sentiment_adapter: Folder of a trained sentiment adapter; the shipped one when empty.
        sentiment_window: Days of texts behind a customer's sentiment.
        message_weight: What a message of the month adds to the weight of its connection.
        reaction_weight: What a reaction of the month adds to it.
        node2vec_p: Return parameter of the random walks behind the embeddings.
        node2vec_q: In-out parameter of these walks.
        virality_estimator: `auto`, `linear`, `boosted` or `lstm`.
        recommender: `auto` for the best on days set aside, or a name of `RECOMMENDERS`.
        review_share: Share of customers that the anomaly detector sends to review.
        channel_cac: What winning a customer costs by channel, in USD, as `name=cost,name=cost`.
        training_processes: Models trained at once; 0 chooses by the number of cores.
    """

    home: Path
    source: str = SIMULATED
    source_data: str = ""
    customers: int = 10_000
    days: int = 400
    seed: int = 7
    first_day: date | None = None
    last_day: date | None = None
    ends: bool = False
    cost_lost_customer: float = 100.0
    cost_intervention: float = 5.0
    save_rate: float = 0.3
    bootstrap: int = 200
    threads: int = 2
    webhook_url: str = ""
    text_encoder: str = ""
    sentiment_adapter: str = ""
    sentiment_window: int = 90
    message_weight: float = 0.0
    reaction_weight: float = 0.0
    node2vec_p: float = 1.0
    node2vec_q: float = 1.0
    virality_estimator: str = "auto"
    recommender: str = "auto"
    review_share: float = 0.01
    channel_cac: str = CHANNEL_CAC
    training_processes: int = 0

    def __post_init__(self) -> None:
        known = known_sources()
        if self.source not in known:
            raise SettingsError(f"SOURCE={self.source}: expected one of {', '.join(known)}")
        checks = {
            "CUSTOMERS": (self.customers >= 1, "a number of at least 1"),
            "DAYS": (
                MIN_DAYS <= self.days <= MAX_DAYS,
                f"{MIN_DAYS} to {MAX_DAYS}: churn is learnt from two "
                "snapshots 30 days apart and their 30 days after",
            ),
            "SEED": (self.seed >= 0, "0 or more"),
            "COST_LOST_CUSTOMER": (0 < self.cost_lost_customer < math.inf, "more than 0"),
            "COST_INTERVENTION": (0 < self.cost_intervention < math.inf, "more than 0"),
            "SAVE_RATE": (0 < self.save_rate <= 1, "more than 0 and at most 1"),
            "BOOTSTRAP": (self.bootstrap >= 20, "at least 20"),
            "THREADS": (self.threads >= 1, "at least 1"),
            "WEBHOOK": (
                not self.webhook_url or re.match(r"https?://", self.webhook_url) is not None,
                "empty or an http:// or https:// address",
            ),
            "SENTIMENT_WINDOW": (self.sentiment_window >= 1, "at least 1 day"),
            "MESSAGE_WEIGHT": (0 <= self.message_weight < math.inf, "0 or more"),
            "REACTION_WEIGHT": (0 <= self.reaction_weight < math.inf, "0 or more"),
            "NODE2VEC_P": (0 < self.node2vec_p < math.inf, "more than 0"),
            "NODE2VEC_Q": (0 < self.node2vec_q < math.inf, "more than 0"),
            "VIRALITY_ESTIMATOR": (
                self.virality_estimator in VIRALITY_ESTIMATORS,
                f"one of {', '.join(VIRALITY_ESTIMATORS)}",
            ),
            "RECOMMENDER": (
                self.recommender in RECOMMENDERS,
                f"one of {', '.join(RECOMMENDERS)}",
            ),
            "REVIEW_SHARE": (0 < self.review_share < 0.5, "more than 0 and less than 0.5"),
            "CHANNEL_CAC": (
                channel_costs(self.channel_cac) is not None,
                f"channels and their costs such as {CHANNEL_CAC}",
            ),
            "TRAINING_PROCESSES": (self.training_processes >= 0, "0 or more"),
        }
        for name, (holds, expected) in checks.items():
            if not holds:
                raise SettingsError(f"{name}: expected {expected}")
        if self.last_day is not None and self.last_day > yesterday():
            raise SettingsError(
                f"DATE={self.last_day}: the last full day is {yesterday()} (UTC); choose it or an "
                "earlier one"
            )
        if self.first_day and self.last_day and self.last_day < self.first_day:
            raise SettingsError(
                f"DATE={self.last_day} lies before the data's first day, {self.first_day}"
            )

    @property
    def processes(self) -> int:
        """Models trained at once: as many as have two cores each, at most five."""
        cores = os.cpu_count() or 1
        return self.training_processes or max(1, min(5, cores // 2))

    @property
    def lake_root(self) -> str:
        """Root of the lake."""
        return str(self.home / "lake")

    @property
    def start(self) -> date:
        """First partition, also before the home was made."""
        return self.first_day or self.end - timedelta(days=self.days - 1)

    @property
    def end(self) -> date:
        """Last day to take in."""
        return self.last_day or yesterday()

    def save(self) -> None:
        """Write `settings.json` into the home."""
        self.home.mkdir(parents=True, exist_ok=True)
        values = {name: _plain(value) for name, value in asdict(self).items() if name != "home"}
        (self.home / SETTINGS_FILE).write_text(json.dumps(values, indent=1) + "\n")

    def check_same_world(self, other: "Settings") -> None:
        """Check that these settings fit a home that was made with `other`.

        Raises:
            SettingsError: They would mix two sources or two simulated worlds in one lake.
        """
        for name in WORLD:
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine != theirs:
                raise SettingsError(
                    f"{name.upper()}={mine}: {self.home} was made with {name.upper()}={theirs}; "
                    "give another HOME_DIR=…, or remove that folder to begin again"
                )

    @classmethod
    def load(cls, home: Path) -> Self:
        """Read the settings of a home, or the defaults where it was not made yet.

        What `ENGAGEMENT_SETTINGS` holds, a JSON object, stands over the file: a container has no
        home of its own.

        Raises:
            SettingsError: The file or the variable is not JSON or has an unknown setting.
        """
        path = home / SETTINGS_FILE
        told = {
            str(path): path.read_text() if path.exists() else "{}",
            SETTINGS_VARIABLE: os.environ.get(SETTINGS_VARIABLE) or "{}",
        }
        values: dict[str, Any] = {}
        for where, text in told.items():
            try:
                found = json.loads(text)
            except json.JSONDecodeError as error:
                raise SettingsError(f"{where} is not JSON: {error}") from error
            if not isinstance(found, dict):
                raise SettingsError(f'{where}: expected a JSON object, such as {{"days": 400}}')
            values |= parse(found, where=where)
        return cls(home=home, **values)

    def with_values(self, values: Mapping[str, Any]) -> Self:
        """These settings with some changed."""
        return replace(self, **values)


def parse(values: Mapping[str, Any], *, where: str) -> dict[str, Any]:
    """Turn plain values (JSON, command line) into those of `Settings`.

    Raises:
        SettingsError: A name is unknown or a value is of the wrong kind.
    """
    kinds = {field.name: str(field.type) for field in fields(Settings)}
    unknown = sorted(set(values) - set(kinds))
    if unknown:
        raise SettingsError(f"{where}: unknown settings {', '.join(unknown)}")
    return {name: _typed(name, kinds[name], value) for name, value in values.items()}


def _typed(name: str, kind: str, value: Any) -> Any:
    if value is None:
        return None
    try:
        if "date" in kind:
            return value if isinstance(value, date) else date.fromisoformat(str(value))
        if "Path" in kind:
            return Path(str(value))
        if "bool" in kind:
            return bool(value)
        for plain in (int, float):
            if plain.__name__ in kind:
                return plain(value)
    except (ValueError, TypeError, OverflowError) as error:
        expected = "a date such as 2026-11-21" if "date" in kind else "a number"
        shown = NAMES.get(name, name.upper())
        raise SettingsError(f"{shown}={value}: expected {expected}") from error
    return str(value)


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


def channel_costs(text: str) -> dict[str, float] | None:
    """Costs by channel from `name=cost,name=cost`, or None where it is not of that form."""
    costs: dict[str, float] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        match = re.fullmatch(r"([a-z][a-z0-9_]*)=(\d+(?:\.\d+)?)", part)
        if match is None or match[1] in costs:
            return None
        costs[match[1]] = float(match[2])
    return costs


def yesterday() -> date:
    """The last full day, UTC."""
    return datetime.now(UTC).date() - timedelta(days=1)


def known_sources(root: Path = MAPPINGS) -> list[str]:
    """Names that SOURCE may have: the simulator and the folders under `root` that hold SQL."""
    folders = root.iterdir() if root.is_dir() else ()
    return [SIMULATED, *sorted(folder.name for folder in folders if any(folder.glob("*.sql")))]


def default_home(source: str, customers: int) -> Path:
    """The home that a source gets when none is named."""
    name = f"{source}-{customers}" if source == SIMULATED else source
    return PROJECT / "data" / name


def current_home(environ: Mapping[str, str] = os.environ) -> Path:
    """The home that is in use: the one named in the environment, or that of the last `make run`."""
    named = environ.get(HOME_VARIABLE)
    if named:
        return Path(named).resolve()
    pointer = PROJECT / "data" / POINTER_FILE
    if pointer.exists():
        return PROJECT / "data" / pointer.read_text().strip()
    return default_home(SIMULATED, Settings.customers)


def point_to(home: Path) -> None:
    """Make a home the one that `make dev` opens."""
    pointer = PROJECT / "data" / POINTER_FILE
    pointer.parent.mkdir(parents=True, exist_ok=True)
    pointer.write_text(f"{home}\n")
