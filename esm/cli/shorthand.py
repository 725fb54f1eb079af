"""Structured values as the AWS CLI takes them: JSON, or its shorthand `A={B=c},D=[e,f]`.

https://docs.aws.amazon.com/cli/latest/userguide/cli-usage-shorthand.html
"""

from __future__ import annotations

import json
import re

_NAME = re.compile(r"[\w.:/#-]+")
_QUOTED = re.compile(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"")
_BARE = re.compile(r"[^\s,\[\]{}'\"]+(?: +[^\s,\[\]{}'\"]+)*")
_ESCAPED = re.compile(r"\\(.)")


class NotAValue(ValueError):
    """Text that is neither JSON nor shorthand."""


def parse_structure(text: str) -> object:
    """An object from JSON or shorthand."""
    stripped = text.strip()
    if stripped.startswith(("{", "[")):
        try:
            return json.loads(stripped)
        except (ValueError, RecursionError) as error:
            raise NotAValue(f"not JSON: {error}") from None
    return _Reader(stripped).whole()


def parse_list(text: str) -> object:
    """A list from JSON, or from words between spaces or commas."""
    if text.strip().startswith("["):
        return parse_structure(text)
    return [word for word in re.split(r"[\s,]+", text) if word]


class _Reader:
    """Reads shorthand from left to right; `at` is how far it has come."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def whole(self) -> dict[str, object]:
        """All of the text."""
        found = self.pairs("")
        if self.at < len(self.text):
            raise self.complaint("the end")
        return found

    def pairs(self, end: str) -> dict[str, object]:
        """`A=b,C=d` up to a bracket, or to the end."""
        found: dict[str, object] = {}
        while True:
            name = self.match(_NAME, "a name").group()
            self.expect("=")
            found[name] = self.value()
            if not self.skip(","):
                break
        if end:
            self.expect(end)
        return found

    def value(self) -> object:
        """An object, a list or a text."""
        if self.skip("{"):
            return self.pairs("}")
        if self.skip("["):
            return self.items()
        if self.text[self.at : self.at + 1] in ("'", '"'):
            single, double = self.match(_QUOTED, "a closing quote").groups()
            return _ESCAPED.sub(r"\1", double if single is None else single)
        return self.match(_BARE, "a value").group()

    def items(self) -> list[object]:
        """`a,b` up to a closing bracket."""
        found: list[object] = []
        while not self.skip("]"):
            if found:
                self.expect(",")
            found.append(self.value())
        return found

    def skip(self, character: str) -> bool:
        """Go past a character if it is the next one, and past the spaces behind it."""
        if not self.text.startswith(character, self.at):
            return False
        self.at += 1
        self._pass_spaces()
        return True

    def expect(self, character: str) -> None:
        """Go past a character that must be there."""
        if not self.skip(character):
            raise self.complaint(f'"{character}"')

    def match(self, pattern: re.Pattern[str], what: str) -> re.Match[str]:
        """Go past something that must be there."""
        match = pattern.match(self.text, self.at)
        if match is None:
            raise self.complaint(what)
        self.at = match.end()
        self._pass_spaces()
        return match

    def complaint(self, expected: str) -> NotAValue:
        """What should have come next."""
        rest = self.text[self.at :][:20]
        return NotAValue(f"expected {expected} before {rest!r}" if rest else f"expected {expected}")

    def _pass_spaces(self) -> None:
        while self.text.startswith(" ", self.at):
            self.at += 1
