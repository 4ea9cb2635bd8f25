"""Options of the command line, made from the fields of settings.

Belongs here: from a field to an option and its variable, and back to what was given. Does not
belong here: the commands (`cli.py`).
"""

import errno
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import click
import typer

from engagement_assets.settings.fields import Declared, SettingsError, expectation, plain
from resources.files import DamagedFileError

ROOM = "make room, and give the same command again: what was made stays"
ELSEWHERE = "give HOME_DIR=…, a folder that you may write to"
# What to do where the disk refuses.
TO_DO = {
    errno.ENOSPC: ROOM,
    errno.EDQUOT: ROOM,
    errno.EROFS: ELSEWHERE,
    errno.EACCES: ELSEWHERE,
    errno.EPERM: ELSEWHERE,
    errno.ENOTDIR: ELSEWHERE,
}


def with_settings(settings: type[Declared]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options of settings; its first argument gets the values by field.

    Each is an option and a variable of the environment. An empty value counts as not given.
    """
    prefix = settings.model_config.get("env_prefix", "")
    variables = settings.variables()
    flags = {
        name: f"--{variable.removeprefix(prefix).lower().replace('_', '-')}"
        for name, variable in variables.items()
    }

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        def run(**options: Any) -> None:
            values = {name: (options.pop(name) or "").strip() for name in variables}
            given = {name: value for name, value in values.items() if value}
            source = click.get_current_context().get_parameter_source
            as_written = {
                f"{variables[name]}=": f"{flags[name]}="
                for name in given
                if source(name) is click.core.ParameterSource.COMMANDLINE
            }
            with refused(as_written):
                command(given, **options)

        own = list(inspect.signature(command).parameters.values())[1:]
        made = [
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=None,
                annotation=Annotated[
                    str | None,
                    typer.Option(
                        flags[name], envvar=variable, help=_help(settings, name), metavar="VALUE"
                    ),
                ],
            )
            for name, variable in variables.items()
        ]
        run.__name__, run.__doc__ = command.__name__, command.__doc__
        keyword = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in own]
        vars(run)["__signature__"] = inspect.Signature([*keyword, *made])
        return run

    return decorate


class CommandError(RuntimeError):
    """A command cannot go on; the message says why and what to do."""


@contextmanager
def refused(as_written: dict[str, str] | None = None, *errors: type[Exception]) -> Iterator[None]:
    """End the command: with 2 where a setting is wrong, 1 after one of `errors`, 130 by Ctrl-C."""
    expected: tuple[type[Exception], ...] = (CommandError, DamagedFileError, *errors)
    try:
        yield
    except SettingsError as error:
        text = str(error)
        for variable, flag in (as_written or {}).items():
            text = text.replace(variable, flag)
        sys.stderr.write(f"error: {text}\n")
        raise typer.Exit(2) from error
    except expected as error:
        sys.stderr.write(f"error: {error}\n")
        raise typer.Exit(1) from error
    except OSError as error:
        if error.errno not in TO_DO:
            raise
        sys.stderr.write(f"error: {error.filename or ''}: {error.strerror}: {TO_DO[error.errno]}\n")
        raise typer.Exit(1) from error
    except KeyboardInterrupt as error:
        sys.stderr.write("interrupted; the same command goes on where this one ended\n")
        raise typer.Exit(130) from error


def _help(settings: type[Declared], name: str) -> str:
    expected = expectation(settings.model_fields[name])
    return plain(settings, name) + ("" if expected == "text" else f" ({expected})")
