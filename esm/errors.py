"""What a user can do wrong, each with a lifelong code.

`str(error)` is what the user reads: place, code, what is wrong, the user's line with a caret, one
why, one fix. Our own mistakes are plain asserts, not errors of this module.
"""

from __future__ import annotations

from dataclasses import dataclass


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
        place: Place | None = None,
        why: str | None = None,
        fix: str | None = None,
    ) -> None:
        super().__init__(message)
        self.esm_code = esm_code
        self.message = message
        self.place = place
        self.why = why
        self.fix = fix

    def __str__(self) -> str:
        head = f"{self.esm_code}  {self.message}"
        lines = [f"{self.place}  {head}" if self.place else head]
        if self.place and self.place.text is not None and self.place.line is not None:
            lines.append(f"{self.place.line:7d} | {self.place.text}")
        if self.why:
            lines.append(f"why    {self.why}")
        if self.fix:
            lines.append(f"fix    {self.fix}")
        return "\n".join(lines)


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
        super().__init__(esm_code, message, place=place, why=why, fix=fix)
        self.code = code
        self.detail = detail

    def __str__(self) -> str:
        text = super().__str__()
        if self.detail is None:
            return text
        head, _, rest = text.partition("\n")
        return "\n".join(part for part in (head, f"what   {self.detail}", rest) if part)


class NotEmulated(MappingError):
    """E290: AWS would accept it, and we do not do it yet."""


class HandlerError(EsmError):
    """E3xx: the handler cannot be loaded."""


class InputError(EsmError):
    """E4xx: input data or usage."""


class EndpointError(EsmError):
    """E5xx: a source or destination."""


class StateError(EsmError):
    """E6xx: saved state."""


class RunError(EsmError):
    """E7xx: the run itself."""
