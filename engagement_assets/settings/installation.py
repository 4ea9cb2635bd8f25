"""Settings of one installation: its source, dates, costs, and where its data lie.

A home is one folder for one source: its lake, models, reports, alerts and Dagster's own records.
`engagement run` writes `settings.json` there, so that `engagement dev` and every run that the UI
starts see the same settings. Belongs here: the settings and the homes they lie in. Does not belong
here: which resources they make (`deployments/`).
"""

import json
import os
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import field_validator, model_validator
from pydantic_settings import InitSettingsSource, PydanticBaseSettingsSource

from engagement_assets.settings.fields import Day, Declared, SettingsError, setting
from engagement_assets.settings.pairs import (
    CHANNEL_CAC,
    channel_costs,
    fairness_mitigations,
    fairness_references,
)
from resources.files import replace_file

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
CLAIMS_FILE = "claims.sqlite"
# What decides the rows of a lake: changing one of them in place would mix two worlds.
WORLD = ("source", "source_data", "customers", "seed", "days", "world")
CUSTOMERS = 10_000
# Windows and histories reach back from the last day.
EARLIEST = date(1970, 1, 1)


class Settings(Declared):
    """One installation's settings.

    What is given stands over what `ENGAGEMENT_SETTINGS` holds, a JSON object, because a container
    has no home of its own; that stands over the home's `settings.json`, and that over the defaults.

    Raises:
        SettingsError: The file or the variable is not JSON or has an unknown setting, or a value is
            not legal.
    """

    home: Path = setting(
        ...,
        "where everything of this installation lies",
        variable="HOME_DIR",
        shown="`data/<source>[-<customers>]`",
    )
    source: str = setting(
        SIMULATED,
        "`deskdrop`, `movielens`, or your own folder in `sql/source/`: "
        "[your own data](docs/your-own-data.md)",
    )
    source_data: str = setting("", "folder or URL of your raw files; a mapped source needs it")
    last_day: Day = setting(
        None,
        "the last day to take in",
        variable="DATE",
        shown="yesterday (UTC), or the source's last day",
    )
    customers: int = setting(CUSTOMERS, "size of the simulated world", ge=1, le=10_000_000)
    days: int = setting(
        400,
        "days of simulated history; churn is learnt from two snapshots a churn "
        "window apart and the window after",
        ge=91,
        le=3_650,
    )
    # learners take 32 bits
    seed: int = setting(7, "another simulated world, another model seed", ge=0, le=2**31 - 1)
    world: Literal["causes", "plain"] = setting(
        "causes",
        "`plain` for a simulated world in which nothing that the company does changes anything "
        "but one experiment: [the simulator](docs/simulator.md)",
    )
    churn_window: int = setting(
        30,
        "days without a visit that count as churn; the summary suggests one from the gaps between "
        "your customers' visits",
        ge=1,
        le=730,
    )
    engagement_window: int = setting(
        7, "days that engagement is predicted for; longer where use comes in a slower rhythm", ge=1
    )
    value_window: int = setting(
        180, "days whose revenue is predicted; shorter where the history is short", ge=1
    )
    quarantine_share_limit: float = setting(
        0.01,
        "share of a day's raw rows in quarantine above which the run stops; raise it for tables "
        "known to be dirty, lower it where every row is money",
        ge=0,
        le=1,
    )
    least_churn_rate: float = setting(
        0.002, "share of churners below which churn is not learnt: there is too little to see", ge=0
    )
    greatest_churn_rate: float = setting(
        0.98,
        "share of churners above which churn is not learnt; so many seldom leave, data that end "
        "early look so",
        le=1,
    )
    least_test_customers: int = setting(
        300,
        "test customers below which a candidate is refused only for what is wrong beyond chance; "
        "raise it to be stricter about saying `passed`",
        ge=0,
    )
    least_group: int = setting(
        100,
        "test customers of a group below which fairness reports it and does not judge it; smaller "
        "groups show only very large gaps",
        ge=2,
    )
    fairness_reference: str = setting(
        "churn=truth,engagement=truth,lifetime_value=truth,ensemble=truth",
        "what a group is due by model: as many selected as the others (`equal`), or as many as "
        "truly have the label (`truth`); `equal` where your law or policy asks for it: "
        "[why](docs/decisions/0042-what-a-group-is-due.md)",
    )
    fairness_mitigation: str = setting(
        "",
        "what is done so that genders and ages are treated alike, by model, such as "
        "`churn=parity,recommendation=exposure`: `parity` moves scores, `reweighing` weighs what "
        "is learnt from, `exposure` re-ranks lists; nothing where empty; applied from the next "
        "training on: [why](docs/decisions/0170-fairness-enforced.md)",
    )
    cost_lost_customer: float = setting(
        100.0, "what losing a customer costs you, in USD; moves the decision threshold", gt=0
    )
    cost_intervention: float = setting(5.0, "what one retention intervention costs, in USD", gt=0)
    save_rate: float = setting(
        0.3,
        "share of contacted churners whom an intervention keeps; measure it with an experiment",
        gt=0,
        le=1,
    )
    bootstrap: int = setting(
        200, "resamples behind each interval; more make it steadier and slower", ge=20
    )
    threads: int = setting(2, "threads of one run; your number of cores", ge=1, le=1_024)
    webhook_url: str = setting(
        "",
        "address that alerts are posted to as JSON, besides the log",
        variable="WEBHOOK",
        pattern="^(https?://.*)?$",
        expected="empty or an http:// or https:// address",
    )
    text_encoder: str = setting(
        "",
        "a Hugging Face name or local folder, with an adapter trained on it",
        shown="built-in MiniLM",
    )
    sentiment_adapter: str = setting(
        "",
        "the folder of an adapter that you trained: [signals](docs/signals.md#your-own-texts)",
        shown="the shipped one",
    )
    sentiment_window: int = setting(
        90,
        "days of texts behind a customer's sentiment; shorter follows moods faster and scores"
        " fewer customers",
        ge=1,
    )
    message_weight: float = setting(
        0.0,
        "what a message of the month adds to its connection's weight of 1; set it if ties "
        "differ much",
        ge=0,
    )
    reaction_weight: float = setting(
        0.0, "what a like, share or comment of the month adds to it", ge=0
    )
    node2vec_p: float = setting(
        1.0, "walks behind the embeddings: above 1 they seldom step back", gt=0
    )
    node2vec_q: float = setting(
        1.0, "walks behind the embeddings: below 1 they find communities, above 1 roles", gt=0
    )
    automl_shadow_days: int = setting(
        0,
        "days that a tuned candidate predicts beside the champion before it replaces it; 7 where a "
        "change should be seen on real days first",
        ge=0,
    )
    virality_estimator: Literal["auto", "early", "linear", "boosted", "lstm"] = setting(
        "auto",
        "`early` (the early count), `linear`, `boosted` or `lstm`, instead of the simplest that "
        "none is clearly better than on posts set aside",
    )
    forecast_calendar: str = setting(
        "",
        "a TOML file of your holidays' countries by location, and of events of your own: "
        "[forecast](docs/forecast.md)",
        shown="the countries that locations are named after; the simulator's own",
    )
    sessions_a_unit: int = setting(
        500,
        "sessions an hour that one unit of your capacity serves; the capacity plan counts in it",
        ge=1,
    )
    recommender: Literal["auto", "popularity", "ease", "als", "neural", "hybrid"] = setting(
        "auto",
        "`popularity`, `ease`, `als`, `neural` or `hybrid` serves, instead of the best on "
        "days set aside",
    )
    recommendation_history: int = setting(
        0,
        "days of interactions that recommendations are learnt from",
        ge=0,
        shown="ten lives of an item, 28 to 730",
    )
    recommendation_item_days: int = setting(
        0,
        "days after its publication that an item is recommended; set it where yours end on a date",
        ge=0,
        shown="the age that 99 % of the uses lie under; any age where items last",
    )
    review_share: float = setting(
        0.01,
        "share of customers that the anomaly detector sends to review; what your reviewers "
        "can look at",
        gt=0,
        lt=0.5,
    )
    review_days: int = setting(
        7, "days after which a case that waits for a human review is overdue", ge=1
    )
    review_second_share: float = setting(
        0.2,
        "share of reviews that two people judge whatever the first says, by which their agreement "
        "is measured; fraud always takes two",
        ge=0,
        le=1,
    )
    complaint_days: int = setting(
        30,
        "days within which a complaint is to be answered; one that waits longer, or waited longer, "
        "is a breach in the ethics audit; GDPR Art. 12 (3) gives a month, and in hard cases three",
        ge=1,
        le=90,
    )
    experiment_window: int = setting(
        14,
        "full days after the day of assignment whose outcome an experiment counts; longer where "
        "what you measure comes slowly",
        ge=2,
        le=365,
    )
    experiment_history: int = setting(
        180,
        "days back that assignments are looked at; shorter where an endless experiment makes the "
        "daily run slow",
        ge=1,
    )
    experiment_plans: str = setting(
        "",
        "a TOML file with how experiments were planned: "
        "[experiments](docs/experiments.md#say-how-it-was-planned)",
        shown="shares as logged, engagement decides",
    )
    segment_names: str = setting(
        "",
        "a TOML file with names of segments that no known kind describes: "
        "[segments](docs/models.md#segments)",
        shown="the known kinds",
    )
    treatment_experiment: str = setting(
        "premium_upgrade",
        "the experiment whose treatment's effect is predicted for every customer",
    )
    targeting_cost: float = setting(
        2.0, "what it costs to give one customer that treatment, in USD", gt=0
    )
    targeting_budget: float = setting(
        500.0, "the most that targeting spends on a day's choices, in USD", ge=0
    )
    timing_updates: int = setting(
        3_000,
        "steps in which it is learnt when to notify; 30,000 take some three minutes and come "
        "nearer to the best",
        ge=1,
    )
    holdout_experiment: str = setting(
        "global_holdout",
        "the experiment that keeps some customers out of everything, with the variants `holdout` "
        "and `programme`; what the programme brought is measured by it",
    )
    programme_days: int = setting(
        365, "days over which what the programme brought and cost is counted", ge=28
    )
    business_case: str = setting(
        "",
        "a TOML file of what the programme costs and what is expected of it: "
        "[value](docs/value.md)",
        shown="the shipped example",
    )
    contacts_a_day: int = setting(
        3, "most contacts of a customer a day, 3 or fewer; 0 contacts nobody", ge=0, le=3
    )
    contacts_a_week: int = setting(
        7, "most contacts of a customer in seven days; fewer where people unsubscribe", ge=0
    )
    contacts_a_channel_week: int = setting(
        3, "most contacts of a customer in seven days by one channel", ge=0
    )
    quiet_from: int = setting(
        22, "hour of the customer's clock from which nothing is sent, 22 or earlier", ge=12, le=22
    )
    quiet_to: int = setting(
        8, "hour of the customer's clock up to which nothing is sent, 8 or later", ge=8, le=11
    )
    contact_delivery: str = setting(
        "",
        "address that due messages are posted to, signed; not on AWS, which has a queue: "
        "[contact](docs/contact.md#delivery)",
        pattern=r"^(https?://.*)?$",
        expected="an http or https address",
    )
    channel_cac: str = setting(CHANNEL_CAC, "what winning a customer costs you by channel, in USD")
    training_processes: int = setting(
        0, "models trained at once; each wants two cores and up to 6 GB", ge=0, shown="by cores"
    )
    erasure_days: int = setting(
        30,
        "days after an erasure up to which a model that may have learnt from the customer goes on "
        "serving; the law's month at most",
        ge=0,
        le=30,
    )
    question_days: int = setting(
        90,
        "days after which a question to the chat goes, with its answer and what was thought of it; "
        "on AWS `QuestionDays` of the storage stack",
        ge=1,
        le=3_650,
    )
    federated_epsilon: float = setting(
        1.0,
        "privacy that federated learning may spend of each customer in a quarter; less hides more "
        "and learns less: [federated](docs/federated.md)",
        gt=0,
        le=1,
    )
    federated_hidden: int = setting(
        0,
        "units of the federated net's hidden layer; 0 is logistic regression, which takes fewer "
        "customers; trying both spends twice",
        ge=0,
        le=64,
    )
    release_epsilon: float = setting(
        1.0,
        "privacy that published counts and means may spend of each customer in a quarter: "
        "[privacy](docs/privacy.md#counts-and-means)",
        gt=0,
    )
    masking_key: str = setting(
        "",
        "another file with the key of the pseudonyms that analysts see; made with the first one, "
        "and not within the home: see [privacy](docs/privacy.md)",
        shown="`~/.config/engagement/masking.key`",
    )
    lake_key: str = setting(
        "",
        "the file with the key that the lake is encrypted with, made by `make encrypt`, and not "
        "within the home: see [privacy](docs/privacy.md#encryption)",
        shown="not encrypted",
    )
    # fixed by the home's first run: the first partition, and whether the source ends on `last_day`
    first_day: Day = None
    ends: bool = False

    @classmethod
    def settings_customise_sources(
        cls, *_: Any, **sources: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What is given, the variable, the file; see the class."""
        path = Path(sources["init_settings"]()["home"]) / SETTINGS_FILE
        texts = {
            SETTINGS_VARIABLE: os.environ.get(SETTINGS_VARIABLE) or "{}",
            str(path): text_of(path) if path.exists() else "{}",
        }
        parsed = (cls._parsed(text, where) for where, text in texts.items())
        return sources["init_settings"], *(InitSettingsSource(cls, values) for values in parsed)

    @classmethod
    def load(cls, home: Path) -> Self:
        """The settings of a home, or the defaults where it was not made yet."""
        return cls(home=home)

    @classmethod
    def _parsed(cls, text: str, where: str) -> dict[str, Any]:
        try:
            values = json.loads(text)
        except (json.JSONDecodeError, RecursionError) as error:
            raise SettingsError(f"{where} is not JSON: {error}") from error
        if not isinstance(values, dict):
            raise SettingsError(f'{where}: expected a JSON object, such as {{"days": 400}}')
        unknown = sorted(set(values) - (cls.model_fields.keys() - {"home"}))
        if unknown:
            raise SettingsError(f"{where}: unknown settings {', '.join(unknown)}")
        return values

    @field_validator("home")
    @classmethod
    def _check_home(cls, value: Path) -> Path:
        if "\\" in str(value):
            raise ValueError(
                "expected a folder without a backslash, which DuckDB takes for a slash"
            )
        return value

    @field_validator("source")
    @classmethod
    def _check_source(cls, value: str) -> str:
        known = known_sources()
        if value not in known:
            raise ValueError(f"expected one of {', '.join(known)}")
        return value

    @field_validator("channel_cac")
    @classmethod
    def _check_channels(cls, value: str) -> str:
        channel_costs(value)
        return value

    @field_validator("fairness_reference")
    @classmethod
    def _check_references(cls, value: str) -> str:
        fairness_references(value)
        return value

    @field_validator("fairness_mitigation")
    @classmethod
    def _check_mitigations(cls, value: str) -> str:
        fairness_mitigations(value)
        return value

    @model_validator(mode="after")
    def _check_last_day(self) -> Self:
        if self.last_day is not None and self.last_day < EARLIEST:
            raise SettingsError(f"DATE={self.last_day}: expected {EARLIEST} or a later day")
        if self.last_day is not None and self.last_day > yesterday():
            raise SettingsError(
                f"DATE={self.last_day}: the last full day is {yesterday()} (UTC); choose it or an "
                "earlier one"
            )
        if self.least_churn_rate >= self.greatest_churn_rate:
            raise SettingsError(
                f"LEAST_CHURN_RATE={self.least_churn_rate} is not below "
                f"GREATEST_CHURN_RATE={self.greatest_churn_rate}: no churn could be learnt"
            )
        if self.first_day and self.last_day and self.last_day < self.first_day:
            raise SettingsError(
                f"DATE={self.last_day} lies before the data's first day, {self.first_day}"
            )
        # refused here, before a home is opened: a saved one would stop every later command
        _ = self.lake_key_file
        return self

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
    def lake_key_file(self) -> str:
        """The file with the lake's key; empty where the lake is not encrypted.

        Raises:
            SettingsError: It lies in the home.
        """
        return str(self.outside("LAKE_KEY", Path(self.lake_key))) if self.lake_key else ""

    def outside(self, variable: str, path: Path) -> Path:
        """Return the absolute path of a file of keys.

        Raises:
            SettingsError: It lies in the home.
        """
        path = path.expanduser().resolve()
        if path.is_relative_to(self.home.resolve()):
            raise SettingsError(
                f"{variable}: {path} lies in the home, whose copies would give people away; "
                "expected a file elsewhere"
            )
        return path

    @property
    def start(self) -> date:
        """First partition, also before the home was made."""
        return self.first_day or self.end - timedelta(days=self.days - 1)

    @cached_property
    def end(self) -> date:
        """Last day to take in; the same for as long as these settings are used."""
        return self.last_day or yesterday()

    def save(self) -> None:
        """Write `settings.json` into the home."""
        text = self.model_dump_json(indent=1, exclude={"home"})
        replace_file(self.home / SETTINGS_FILE, f"{text}\n".encode())

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

    def with_values(self, **values: Any) -> Self:
        """These settings with some changed.

        Raises:
            SettingsError: A value is not legal.
        """
        return type(self)(**{**self.model_dump(), **values})


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
    if not pointer.exists():
        return default_home(SIMULATED, CUSTOMERS)
    home = text_of(pointer).strip()
    if not home or "\0" in home:
        raise SettingsError(f"{pointer} names no home: give HOME_DIR=…, which writes it again")
    return PROJECT / "data" / home


def point_to(home: Path) -> None:
    """Make a home the one that `make dev` opens."""
    replace_file(PROJECT / "data" / POINTER_FILE, f"{home}\n".encode())


def text_of(path: Path) -> str:
    """Return the text of a file of this product.

    Raises:
        SettingsError: It is no text.
    """
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path} is damaged, it is no text: restore it") from error
