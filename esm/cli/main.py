"""`esm`: the group of commands, and what an exit code means.

Commands are imported when they run, so that `esm --help` costs no more than click.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import ClassVar

import click

from esm.cli.failures import INTERRUPTED, OUR_BUG, asked_for_json, exit_code, show, show_bug
from esm.cli.output import prepare_streams
from esm.errors import EsmError, InputError

_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}

_ALONE = "esm.alone"
_OF_ESM_ALONE = {
    *("-t", "--template", "--template-file", "--parameter-overrides", "--region"),
    *("--config-file", "--config-env"),
}


class LazyGroup(click.Group):
    """Knows its commands by name and one line of help; `NAME` lies in `esm/cli/NAME.py`."""

    COMMANDS: ClassVar[Mapping[str, str]] = {
        "run": "Mappings of the template, kept running.",
        "invoke": "One event through one function of the template, once.",
        "replay": "Captured events or records through a mapping, in virtual time.",
        "generate": "Events or records, as many as wanted.",
        "serve": "The embedded AWS alone, to outlive runs.",
        "put": "Put records into a stream of the running esm run or esm serve.",
        "record": "Read a live source into a capture; nobody's checkpoints move.",
        "validate": "Every rule we know, with file:line:column; no code is imported.",
        "checkpoints": "Where each shard is, and how far behind.",
        "size": "Shards for a load, and the limit that decides.",
    }

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the command line; `esm -t FILE` is `esm` alone, with options of its own."""
        if args and args[0].partition("=")[0] in _OF_ESM_ALONE:
            ctx.meta[_ALONE], args = args, []
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order of the help text."""
        return list(self.COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in self.COMMANDS:
            return None
        return _import(cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click, and the command that was probably meant, as click has it for options."""
        if args[0] in self.COMMANDS or args[0].startswith("-"):
            return super().resolve_command(ctx, args)
        from difflib import get_close_matches  # only a mistake needs it

        close = get_close_matches(args[0], self.COMMANDS, n=1)
        meant = f" (Did you mean {close[0]!r}?)" if close else ""
        raise click.UsageError(f"No such command {args[0]!r}.{meant}", ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self.COMMANDS.items()))


def _import(name: str) -> click.Command:
    command = getattr(import_module(f"esm.cli.{name}"), name)
    assert isinstance(command, click.Command)
    return command


@click.group(cls=LazyGroup, context_settings=_SETTINGS, invoke_without_command=True)
@click.version_option(package_name="lambda-esm", prog_name="esm", message="%(prog)s %(version)s")
@click.pass_context
def esm(context: click.Context) -> object:
    """AWS Lambda event source mappings for streams: no AWS account, no Docker."""
    if context.invoked_subcommand is not None:
        return None
    command = _import("overview")
    with command.make_context("", context.meta.get(_ALONE, []), context) as inner:
        return command.invoke(inner)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line; gives its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    prepare_streams()
    as_json = asked_for_json(given)
    try:
        code = esm.main(args=given, prog_name="esm", standalone_mode=False)
    except click.Abort:
        click.echo("interrupted", err=True)
        return INTERRUPTED
    except click.ClickException as error:
        mistake: EsmError = _usage_error(error, given)
    except EsmError as error:
        mistake = error
    except Exception as error:
        show_bug(error, as_json=as_json, debug="--debug" in given)
        return OUR_BUG
    else:
        return code if isinstance(code, int) else 0
    show(mistake, as_json=as_json)
    return exit_code(mistake)


def _usage_error(error: click.ClickException, given: Sequence[str]) -> InputError:
    """click's complaint in the form of ours; of a command's options it may not say the command."""
    context = getattr(error, "ctx", None)
    command = next((word for word in given if word in LazyGroup.COMMANDS), None)
    path = context.command_path if context else " ".join(filter(None, ("esm", command)))
    message = error.format_message().replace("\n\t", " ")  # choices, which click lists below it
    return InputError("E480", message, fix=f"{path.strip()} --help")
