"""A command whose options may stand in the environment and in files of the folder, too."""

from __future__ import annotations

import click

from esm.cli.config import read_config
from esm.cli.overrides import FLAG, flag_before_each


class ConfiguredCommand(click.Command):
    """Reads the command line, and beneath it what `esm.cli.config` finds."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse words behind the command's name, several behind `--parameter-overrides` too."""
        if any(FLAG in param.opts for param in self.params):
            args = flag_before_each(args)
        # A shell that completes a line must not hear of mistakes, nor somebody who asks for help.
        if not ctx.resilient_parsing:
            given, _, _ = self.make_parser(ctx).parse_args(args=list(args))
            help_option = self.get_help_option(ctx)
            if help_option is None or help_option.name not in given:
                ctx.default_map = read_config(ctx, self, given)
        return super().parse_args(ctx, args)
