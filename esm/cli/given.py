"""Which options somebody has typed: others may stand in files that several commands share."""

from __future__ import annotations

import click
from click.core import ParameterSource


def is_typed(name: str) -> bool:
    """Whether a parameter of the command that runs is on its command line."""
    context = click.get_current_context(silent=True)
    return context is not None and (
        context.get_parameter_source(name) is ParameterSource.COMMANDLINE
    )
