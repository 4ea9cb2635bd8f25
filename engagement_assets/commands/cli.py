"""The command line `engagement`: commands, their options and examples.

Belongs here: names, arguments and exit statuses (0; 1 where something failed; 2 where a setting is
wrong). Does not belong here: what a command does. It is imported inside the command, so that help
and completion come at once.
"""

import getpass
import os
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from engagement_assets.commands.docs import outdated
from engagement_assets.commands.homes import open_home, prepare_home, settings_from
from engagement_assets.commands.options import refused, with_settings
from engagement_assets.commands.privacy import PRIVACY
from engagement_assets.commands.train_sentiment import train_sentiment
from engagement_assets.settings.api import ApiSettings
from engagement_assets.settings.chat import ChatSettings
from engagement_assets.settings.dashboard import DashboardSettings
from engagement_assets.settings.fields import SettingsError
from engagement_assets.settings.installation import HOME_VARIABLE, Settings, current_home

app = typer.Typer(
    help="The engagement platform. Settings are options or variables of the environment.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
# An exception is looked at again within a quarter, as champions are.
ACCEPTED_DAYS = 90
HomeInUse = Annotated[
    Path | None,
    typer.Option(envvar=[HOME_VARIABLE, "HOME_DIR"], help="the home; by default the one in use"),
]
keys = typer.Typer(help="API keys of the installation.", no_args_is_help=True)
aws = typer.Typer(help="An installation on AWS.", no_args_is_help=True)
app.add_typer(keys, name="api-key")
app.add_typer(aws, name="aws")
app.command()(train_sentiment)
for name, command in PRIVACY.items():
    app.command(name)(command)

Scopes = Annotated[str, typer.Option(help="some of read,score,contact,events,review,admin")]
KeysFile = Annotated[
    Path | None, typer.Option(help="the file of keys; that of the home by default")
]


@app.command()
@with_settings(Settings)
def run(
    given: dict[str, str],
    *,
    retrain: Annotated[
        bool,
        typer.Option(envvar="RETRAIN", help="train although a champion is younger than a quarter"),
    ] = False,
    reingest: Annotated[
        bool,
        typer.Option(
            envvar="REINGEST",
            help="take all days in again, as after a change of the mapping",
        ),
    ] = False,
) -> None:
    """Make everything that is not made yet, then say what there is and where.

    \b
    engagement run --customers 100000 --date 2026-11-21
    CUSTOMERS=100000 engagement run --retrain
    """
    settings = settings_from(given)
    prepare_home(settings)
    from engagement_assets.commands import run as runs
    from engagement_assets.commands.runner import JobFailedError
    from resources.erasures import ErasureError

    with refused(None, JobFailedError, runs.NothingServesError, ErasureError):
        runs.run(settings, retrain=retrain, reingest=reingest)


SourceName = Annotated[str, typer.Option(envvar="SOURCE", help="name of the source")]
SourceData = Annotated[str, typer.Option(envvar="SOURCE_DATA", help="folder or URL of its files")]


@app.command("map")
def map_source(source: SourceName = "", source_data: SourceData = "") -> None:
    """Draft the mapping of your own files, for you to correct.

    \b
    engagement map --source shop --source-data /srv/exports
    """
    from engagement_assets.commands import source as sources
    from engagement_assets.source.errors import SourceError

    with refused(None, SourceError):
        sources.map_source(source, source_data)


@app.command("check-source")
def check_source(
    source: SourceName = "",
    source_data: SourceData = "",
    *,
    sample: Annotated[int, typer.Option(help="about so many customers are looked at")] = 2000,
) -> None:
    """Try a mapping on a sample of its customers, and show what would be taken in.

    \b
    engagement check-source --source shop --source-data /srv/exports
    """
    from engagement_assets.commands import source as sources
    from engagement_assets.source.errors import SourceError

    with refused(None, SourceError):
        sources.check_source(source, source_data, customers=sample)


@app.command()
@with_settings(Settings)
def quarantine(
    given: dict[str, str],
    *,
    table: Annotated[str | None, typer.Option(help="one raw table; all by default")] = None,
) -> None:
    """Show the rows in quarantine: how many for which reason, with examples.

    \b
    engagement quarantine --table sessions
    """
    settings = open_home(given)
    from engagement_assets.commands import source as sources
    from engagement_assets.deployments.resources import resources_of

    sys.stdout.write(sources.quarantine(resources_of(settings)["lake"].lake, table=table))


@app.command()
@with_settings(Settings)
def home(given: dict[str, str]) -> None:
    """Print the home in use, or the one of these settings; make it if it is new.

    \b
    export ENGAGEMENT_HOME="$(engagement home --home-dir /srv/engagement)"
    """
    sys.stdout.write(f"{open_home(given).home}\n")


@app.command()
@with_settings(Settings)
def dev(
    given: dict[str, str], *, port: Annotated[int, typer.Option(help="port of the UI")] = 3000
) -> None:
    """Open the Dagster UI on the home in use.

    \b
    engagement dev --home-dir /srv/engagement --port 3001
    """
    open_home(given)
    from engagement_assets.commands.records import records
    from resources.event_log import end_abandoned_runs

    with records() as instance:
        end_abandoned_runs(instance)
    # in the background of a script it inherits ignored interrupts, and dg stops by them
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    dg = Path(sys.executable).with_name("dg")
    os.execv(dg, [str(dg), "dev", "--port", str(port)])  # noqa: S606 - the project's own program


@app.command()
@with_settings(ApiSettings)
def serve(
    given: dict[str, str],
    *,
    home_dir: HomeInUse = None,
) -> None:
    """Serve the real-time API.

    \b
    engagement serve --port 8080 --workers 4
    ENGAGEMENT_API_RATE=500/second engagement serve
    """
    # workers are processes of their own, which read the environment
    os.environ.update({ApiSettings.variables()[name]: value for name, value in given.items()})
    if home_dir is not None:
        os.environ[HOME_VARIABLE] = str(home_dir.resolve())
    settings = ApiSettings()
    from engagement_assets.commands.serve import serve_api

    serve_api(settings)


@app.command()
@with_settings(DashboardSettings)
def dashboard(
    given: dict[str, str],
    *,
    home_dir: HomeInUse = None,
) -> None:
    """Open the dashboard; the address to open, with its token, is printed.

    \b
    engagement dashboard --port 8600 --role support
    """
    # the pages are another process, which reads the environment
    variables = DashboardSettings.variables()
    os.environ.update({variables[name]: value for name, value in given.items()})
    if home_dir is not None:
        os.environ[HOME_VARIABLE] = str(home_dir.resolve())
    settings = DashboardSettings()
    from engagement_assets.commands.dashboard import serve_dashboard

    with refused():
        serve_dashboard(settings)


@app.command()
@with_settings(Settings)
def deliver(given: dict[str, str]) -> None:
    """Send the messages of the outbox that are due now; 1 where some were not taken.

    \b
    engagement deliver --contact-delivery https://app.example/contact
    """
    settings = open_home(given)
    from engagement_assets.decisions.contact.job import NOWHERE, deliver_due
    from engagement_assets.deployments.resources import resources_of
    from resources.claims import ClaimsError

    with refused(None, ClaimsError):
        done = deliver_due(resources_of(settings))
        if done is None:
            raise SettingsError(NOWHERE)
    withheld = "".join(f"; {count} withheld: {why}" for why, count in done.withheld.items())
    sys.stdout.write(
        f"{done.sent} sent, {done.refused} not taken, {done.elsewhere} sent before or being "
        f"sent{withheld}\n"
    )
    raise typer.Exit(int(bool(done.refused)))


@app.command()
@with_settings(Settings)
def ask(
    given: dict[str, str],
    *,
    question: Annotated[str, typer.Option(envvar="QUESTION", help="in words")],
) -> None:
    """Answer a question from the tables, with the day and the query of every claim.

    \b
    engagement ask --question "Which region has the highest mean engagement score?"
    """
    settings = open_home(given)
    from engagement_assets.chat.assistant import Streamed
    from engagement_assets.chat.opening import Assistants
    from engagement_assets.deployments.resources import resources_of

    with refused():
        assistant = Assistants.of(resources_of(settings), ChatSettings())()
    streamed = Streamed(sys.stdout)
    # a file or another program gets the answer once and whole
    on_text = streamed.part if sys.stdout.isatty() else None
    streamed.end(assistant.ask(question, by="engagement ask", on_text=on_text))


@app.command()
@with_settings(Settings)
def automl(
    given: dict[str, str],
    *,
    model: Annotated[
        str | None, typer.Option(envvar="MODEL", help="one model; by default all with a search")
    ] = None,
    trials: Annotated[int, typer.Option(envvar="TRIALS", min=1, help="trials a model")] = 50,
    minutes: Annotated[
        float, typer.Option(envvar="MINUTES", help="time for the trials of a model")
    ] = 30.0,
) -> None:
    """Search learner and hyperparameters; what is clearly better than the champion replaces it.

    \b
    engagement automl --model churn --trials 50 --minutes 30
    """
    settings = open_home(given)
    from engagement_assets.commands import run as runs
    from engagement_assets.commands.runner import JobFailedError

    with refused(None, JobFailedError):
        sys.stdout.write(runs.search(settings, model or None, trials=trials, minutes=minutes))


@app.command()
@with_settings(Settings)
def rollback(
    given: dict[str, str],
    *,
    model: Annotated[str, typer.Option(envvar="MODEL", help="whose champion")] = "churn",
    version: Annotated[
        str | None, typer.Option(envvar="VERSION", help="by default the one before this")
    ] = None,
) -> None:
    """Make an earlier version of a model its champion again.

    \b
    engagement rollback --model engagement
    """
    settings = open_home(given)
    from engagement_assets.commands.run import roll_back
    from resources.registry import RegistryError

    with refused(None, RegistryError):
        now = roll_back(settings, model, version or None)
        sys.stdout.write(
            f"the champion of {model} is {now} again; run `make run` to predict with it\n"
        )


@app.command()
@with_settings(Settings)
def accept(
    given: dict[str, str],
    *,
    model: Annotated[str, typer.Option(envvar="MODEL", help="whose candidate was refused")],
    version: Annotated[str, typer.Option(envvar="VERSION", help="the refused version")],
    reason: Annotated[str, typer.Option(envvar="REASON", help="why it may serve; stays on record")],
    by: Annotated[
        str | None, typer.Option(envvar="BY", help="who answers for it; by default your login")
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option(
            envvar="UNTIL",
            formats=["%Y-%m-%d"],
            help="last day that you answer for it; 90 days from today by default",
        ),
    ] = None,
) -> None:
    """Let a refused version serve, with who answers for it on record.

    \b
    engagement accept --model churn --version d2a678c45e52a4a6 --reason "pilot in one city"
    """
    settings = open_home(given)
    from engagement_assets.commands import run as runs
    from resources.registry import RegistryError

    last = until.date() if until else datetime.now(UTC).date() + timedelta(days=ACCEPTED_DAYS)
    with refused(None, RegistryError):
        accepted = runs.accept(
            settings, model, version, reason=reason, by=by or getpass.getuser(), until=last
        )
        sys.stdout.write(
            f"the champion of {model} is {version}, {accepted}; run `make run` to predict with it\n"
        )


@keys.command("create")
def create_key(
    name: Annotated[str, typer.Option(help="what the key is for")] = "",
    scopes: Scopes = "read",
    days: Annotated[
        int | None, typer.Option(help="days until it expires; never by default")
    ] = None,
    rate: Annotated[str | None, typer.Option(help="its own rate, such as 500/second")] = None,
    file: KeysFile = None,
) -> None:
    """Make a key, which is shown once.

    \b
    engagement api-key create --name app --scopes read,score --days 90
    """
    from engagement_assets.serving.api.keys import KeysError, add_key

    wanted = [scope for scope in scopes.split(",") if scope]
    with refused(None, KeysError):
        path = _keys_file(file)
        key, token = add_key(path, name, wanted, days=days, rate=rate)
        sys.stderr.write(f"key {key.id} ({', '.join(key.scopes)}) is in {path}; shown once:\n")
        sys.stdout.write(f"{token}\n")


@keys.command("list")
def list_keys(file: KeysFile = None) -> None:
    """List the keys: id, scopes, expiry, what each is for."""
    from engagement_assets.serving.api.keys import KeysError, read_keys

    with refused(None, KeysError):
        for key in read_keys(_keys_file(file)).keys.values():
            until = f"until {key.expires_at}" if key.expires_at else "does not expire"
            sys.stdout.write(f"{key.id}  {','.join(key.scopes):18} {until}  {key.name}\n")


@keys.command("revoke")
def revoke_key(id: str, file: KeysFile = None) -> None:
    """Revoke the key of an id; a running API takes it up within seconds."""
    from engagement_assets.serving.api.keys import KeysError, drop_key

    with refused(None, KeysError):
        drop_key(_keys_file(file), id)
        sys.stderr.write(f"key {id} is revoked\n")


def _keys_file(file: Path | None) -> Path:
    from engagement_assets.serving.api.keys import KEYS_FILE

    return file or current_home() / KEYS_FILE


@aws.command("sync-tables")
def sync_tables() -> None:
    """Make or mend the Glue database and its tables."""
    from engagement_assets.commands import aws as commands
    from resources.aws.errors import AwsError

    with refused(None, AwsError):
        commands.sync_tables()


@aws.command("check")
def check_aws() -> None:
    """Look at everything that a run needs; 1 where something is not as it should be."""
    from engagement_assets.commands import aws as commands
    from resources.aws.errors import AwsError

    with refused(None, AwsError):
        raise typer.Exit(commands.check())


@aws.command("autopilot")
def run_autopilot(
    model: Annotated[str, typer.Option(envvar="MODEL", help="whose rows")],
    role: Annotated[str, typer.Option(help="ARN of the role that SageMaker takes")],
    trials: Annotated[int, typer.Option(envvar="TRIALS", min=1, help="candidates")] = 50,
    minutes: Annotated[float, typer.Option(envvar="MINUTES", help="time")] = 60.0,
) -> None:
    """Let SageMaker Autopilot learn from a model's rows, to be compared; untried on AWS.

    \b
    engagement aws autopilot --model churn --role arn:aws:iam::123456789012:role/autopilot
    """
    from engagement_assets.commands import aws as commands
    from resources.aws.errors import AwsError
    from resources.lake import MissingPartitionError

    with refused(None, AwsError, MissingPartitionError):
        sys.stdout.write(commands.autopilot(model, role=role, candidates=trials, minutes=minutes))


@app.command()
def docs(
    check: Annotated[
        bool, typer.Option("--check", help="write nothing; 1 where one is old")
    ] = False,
) -> None:
    """Write the tables of settings into the docs and the Makefile."""
    old = outdated()
    for path, text in old.items():
        if not check:
            path.write_text(text)
        sys.stdout.write(f"{path} {'is old' if check else 'is written'}\n")
    raise typer.Exit(int(check and bool(old)))
