"""`--parameter-overrides` in every form in which SAM takes it.

Values are `Name=Value` or `ParameterKey=Name,ParameterValue=Value`, several in one text or in
several words. A value without quotes ends where the next name begins.
https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-cli-command-reference-sam-deploy.html
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

import click
from click.types import StringParamType

FLAG = "--parameter-overrides"

_START = r"(?:ParameterKey=[^,=\s]+,ParameterValue=|[A-Za-z0-9]+=)"
_QUOTED = r"""(?:"(?:\\.|[^"\\])*"|'[^']*')"""
_OVERRIDE = re.compile(
    rf"\s*(?P<start>{_START})"
    rf"(?:(?P<quoted>{_QUOTED})(?=\s|$)|(?P<plain>.*?)(?=\s+{_START}|\s*$))",
    re.DOTALL,
)
_ANOTHER = re.compile(_START)


class Overrides(StringParamType):
    """Text with one value or more; a variable's text is not taken apart."""

    def split_envvar_value(self, rv: str) -> Sequence[str]:
        """The whole of it: `parse_overrides` knows where a value ends."""
        return [rv]


def flag_before_each(words: Sequence[str]) -> list[str]:
    """`--parameter-overrides A=1 B=2` as click takes it, with the flag before each value."""
    spread: list[str] = []
    is_list = False  # whether a value has come, and another may follow
    for position, word in enumerate(words):
        if word == "--":
            return [*spread, *words[position:]]
        is_another = is_list and _ANOTHER.match(word) is not None
        is_first = word.startswith(f"{FLAG}=") or (position > 0 and words[position - 1] == FLAG)
        spread += [FLAG, word] if is_another else [word]
        is_list = is_another or is_first
    return spread


def parse_overrides(
    ctx: click.Context, param: click.Parameter, values: Sequence[str]
) -> dict[str, str]:
    """Values by parameter; of one that is given twice, the last."""
    found: dict[str, str] = {}
    for text in values:
        end = 0
        while text[end:].strip():
            match = _OVERRIDE.match(text, end)
            if match is None:
                raise click.BadParameter(f"{text[end:].strip()!r} is not NAME=VALUE", ctx, param)
            name, *long = re.split("[=,]", match["start"])
            quoted = match["quoted"]
            value = match["plain"] if quoted is None else "".join(shlex.split(quoted))
            found[long[0] or name] = value
            end = match.end()
    return found
