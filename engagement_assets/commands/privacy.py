"""Commands of governance: erasing, exporting, reading, encrypting, signing an audit.

Belongs here: their options and examples. Does not belong here: what they do, which is imported
inside each, so that help comes at once.
"""

import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from engagement_assets.commands.homes import open_home
from engagement_assets.commands.options import refused, with_settings
from engagement_assets.settings.installation import Settings

Query = Annotated[str, typer.Option(envvar="QUERY", help="one SELECT over tables `<group>.<noun>`")]


@with_settings(Settings)
def sign_off_audit(
    given: dict[str, str],
    *,
    quarter: Annotated[str, typer.Option(envvar="QUARTER", help="whose audit, such as 2026-Q4")],
    by: Annotated[str, typer.Option(envvar="BY", help="who signs it off; stays on record")],
) -> None:
    """Sign off the ethics audit of a quarter as it stands.

    \b
    engagement sign-off --quarter 2026-Q4 --by "A. Member, ethics committee"
    """
    settings = open_home(given)
    from dagster import build_init_resource_context

    from engagement_assets.deployments.resources import resources_of
    from engagement_assets.governance.audit.sign_off import SignOffError, sign_off

    manager = resources_of(settings)["reports"]
    reports = manager.create_io_manager(build_init_resource_context())
    with refused(None, SignOffError):
        sys.stdout.write(sign_off(reports, quarter, by=by))


@with_settings(Settings)
def erase_customers(
    given: dict[str, str],
    *,
    customer: Annotated[
        str,
        typer.Option(
            envvar="CUSTOMER",
            help="ids, with commas between them; by default who asked for it, or came back",
        ),
    ] = "",
    confirm: Annotated[
        bool, typer.Option(envvar="CONFIRM", help="erase; otherwise only show what there is")
    ] = False,
) -> None:
    """Erase customers from every place, for good, and certify it; by default only count.

    \b
    engagement erase --customer c0000042
    engagement erase --customer c0000042 --confirm
    """
    settings = open_home(given)
    from engagement_assets.commands import erase
    from resources.erasures import ErasureError

    wanted = [one.strip() for one in customer.split(",") if one.strip()]
    with refused(None, ErasureError):
        erase.erase_customers(settings, wanted, confirmed=confirm)


@with_settings(Settings)
def export_rows(
    given: dict[str, str],
    *,
    table: Annotated[str, typer.Option(envvar="TABLE", help="the table, `<group>/<noun>`")],
    columns: Annotated[
        str,
        typer.Option(
            envvar="COLUMNS", help="what may be known of a person from elsewhere, commas between"
        ),
    ],
    sensitive: Annotated[
        str, typer.Option(envvar="SENSITIVE", help="what must not be learnt by it, commas between")
    ],
    to: Annotated[Path, typer.Option(envvar="TO", help="the CSV file, outside the home")],
    day: Annotated[
        datetime | None,
        typer.Option(envvar="DAY", formats=["%Y-%m-%d"], help="by default the latest"),
    ] = None,
    k: Annotated[int, typer.Option(envvar="K", min=10, help="least people who are alike")] = 10,
    epsilon: Annotated[
        float | None,
        typer.Option(
            envvar="EPSILON",
            min=0.001,
            help="counts and means of SENSITIVE by COLUMNS under differential privacy, not rows; "
            "what they spend of the quarter's budget",
        ),
    ] = None,
) -> None:
    """Write rows that may leave, or counts and means: nobody stands out, nor by what is left out.

    \b
    engagement export --table features/customer_features --columns age,location
    --sensitive account_type --to people.csv
    """
    settings = open_home(given)
    from engagement_assets.commands import export
    from resources.tables import SchemaError

    parts = [
        [one.strip() for one in text.split(",") if one.strip()] for text in (columns, sensitive)
    ]
    with refused(None, SchemaError):
        done = export.export_rows(
            settings,
            table,
            to,
            columns=parts[0],
            sensitive=parts[1],
            day=day.date() if day else None,
            k=k,
            epsilon=epsilon,
        )
        sys.stdout.write(done)


@with_settings(Settings)
def read_unmasked(
    given: dict[str, str],
    *,
    query: Annotated[
        str, typer.Option(envvar="QUERY", help="one SELECT over tables `<group>.<noun>`")
    ],
    by: Annotated[str, typer.Option(envvar="BY", help="who reads; stays on record")],
    reason: Annotated[str, typer.Option(envvar="REASON", help="why; stays on record")],
    to: Annotated[
        Path | None,
        typer.Option(envvar="TO", help="a CSV file, outside the home; printed by default"),
    ] = None,
) -> None:
    """Show unmasked rows of a query; who read which columns of what and why is logged first.

    \b
    engagement unmasked --query "FROM source.customers LIMIT 5" --by "S. Port" --reason "ticket 7"
    """
    settings = open_home(given)
    from engagement_assets.commands.reading import unmasked
    from resources.engine import EngineError
    from resources.sql import SqlError
    from resources.tables import SchemaError

    with refused(None, SchemaError, SqlError, EngineError):
        sys.stdout.write(unmasked(settings, query, by=by, reason=reason, to=to))


@with_settings(Settings)
def read_masked(given: dict[str, str], *, query: Query) -> None:
    """Show rows of a query as analysts may see them, without what shows a person.

    \b
    engagement masked --query "SELECT age, count(*) FROM source.customers GROUP BY age"
    """
    settings = open_home(given)
    from engagement_assets.commands.reading import masked
    from resources.engine import EngineError
    from resources.sql import SqlError
    from resources.tables import SchemaError

    with refused(None, SchemaError, SqlError, EngineError):
        sys.stdout.write(masked(settings, query))


@with_settings(Settings)
def encrypt_lake(
    given: dict[str, str],
    *,
    off: Annotated[bool, typer.Option(envvar="OFF", help="decrypt it instead")] = False,
) -> None:
    """Encrypt the files of the lake with the key of a file, which is made where it is not.

    Again after another key was put on its first line: everything is encrypted with that one.

    \b
    engagement encrypt --lake-key ~/keys/lake.key
    engagement encrypt --off
    """
    settings = open_home(given)
    from engagement_assets.commands.encrypt import encrypt
    from resources.lake import LakeError

    with refused(None, LakeError):
        sys.stdout.write(encrypt(settings, off=off))


PRIVACY: dict[str, Callable[..., Any]] = {
    "sign-off": sign_off_audit,
    "erase": erase_customers,
    "export": export_rows,
    "unmasked": read_unmasked,
    "masked": read_masked,
    "encrypt": encrypt_lake,
}
