"""What a user can do wrong, each with a lifelong code.

`str(error)` is what the user reads, in at most five lines: place, code and what is wrong; the
user's line; a caret, with what we know more than AWS's text says; one why; one fix. Our own
mistakes are plain asserts, not errors of this module.
"""

from __future__ import annotations

import copyreg
from dataclasses import dataclass

_EXCERPT_COLUMNS = 70
_LINE_LENGTH = 1_000


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the user's text; line and column count from 1. `text` is that line."""

    file: str
    line: int | None = None
    column: int | None = None
    text: str | None = None

    def __str__(self) -> str:
        return ":".join(str(p) for p in (self.file, self.line, self.column) if p is not None)


class EsmError(Exception):
    """A mistake that its user can mend. `esm_code` never changes its meaning."""

    def __init__(
        self,
        esm_code: str,
        message: str,
        *,
        detail: str | None = None,
        place: Place | None = None,
        why: str | None = None,
        fix: str | None = None,
    ) -> None:
        super().__init__(message)
        self.esm_code = esm_code
        self.message = message
        self.detail = detail
        self.place = place
        self.why = why
        self.fix = fix

    def __str__(self) -> str:
        head = f"{self.esm_code}  {self.message}"
        lines = [f"{self.place}  {head}" if self.place else head, *_quoted(self.place)]
        if self.detail:
            self._add_detail(lines)
        if self.why:
            lines.append(f"why    {self.why}")
        if self.fix:
            lines.append(f"fix    {self.fix}")
        return "\n".join(_one_line(line) for line in lines)

    def _add_detail(self, lines: list[str]) -> None:
        if len(lines) == 3:
            lines[-1] += f" {self.detail}"
        else:
            lines.append(f"what   {self.detail}")

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions are rebuilt from `args` alone, which our constructor would refuse.
        return copyreg.__newobj__, (type(self), *self.args), self.__dict__  # type: ignore[attr-defined]


class TemplateError(EsmError):
    """E1xx: the template."""


class MappingError(EsmError):
    """E2xx: the event source mapping; `code` and `message` are AWS's where AWS would answer."""

    def __init__(
        self,
        esm_code: str,
        message: str,
        *,
        code: str | None = None,
        detail: str | None = None,
        place: Place | None = None,
        why: str | None = None,
        fix: str | None = None,
    ) -> None:
        super().__init__(esm_code, message, detail=detail, place=place, why=why, fix=fix)
        self.code = code


class SettingsError(EsmError, ValueError):
    """E26x: one of our own settings makes no sense."""


class NotEmulated(MappingError):
    """E290: AWS would accept it, and we do not do it yet."""


class HandlerError(EsmError):
    """E3xx: the handler cannot be loaded."""


class InputError(EsmError):
    """E4xx: input data or usage."""


class InvalidValue(InputError, ValueError):
    """E44x: a value from which nothing can be made."""


class EndpointError(EsmError):
    """E5xx: a source or destination."""


class StateError(EsmError):
    """E6xx: saved state."""


class RunError(EsmError):
    """E7xx: the run itself."""


def _quoted(place: Place | None) -> list[str]:
    if place is None or place.text is None or place.line is None:
        return []
    text = place.text.replace("\t", " ").rstrip()
    column = place.column or 1
    start = max(0, column - _EXCERPT_COLUMNS // 2) if len(text) > _EXCERPT_COLUMNS else 0
    lines = [f"{place.line:7d} | {text[start : start + _EXCERPT_COLUMNS]}"]
    if place.column is not None:
        lines.append(f"{'':7s} | {'^':>{column - start}}")
    return lines


def _one_line(text: str) -> str:
    """Line ends, terminal codes and sheer length in a user's value must not break the layout."""
    line = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text[:_LINE_LENGTH])
    return line if len(text) <= _LINE_LENGTH else f"{line}… ({len(text)} characters)"
