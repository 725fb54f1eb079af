"""What a failing test tells of its Harness: what went wrong, where, and how to see it again."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from esm.story import tree
from esm.story.blame import users_line
from esm.story.words import COLUMNS, clean, counted, cut
from esm.trace import error_text

if TYPE_CHECKING:
    from esm.harness import Harness
    from esm.view import Mapping

_MOST_STORY_LINES = 60
_FEWEST_LINES = 4  # of a mapping's tree, however many mappings there are
_MOST_ERRORS = 3
_ASSERTION_LINES, _ERROR_LINES = 12, 3  # of their own texts
_SHORT_ASSERTION_LINES, _SHORT_ERROR_LINES = 5, 1  # where many mappings have to be told of
_FEW_MAPPINGS = 2


def failure_story(harness: Harness) -> str:
    """Assertions that failed in handlers first, then each mapping, then how to run it again."""
    mappings = list(harness.mappings.values())
    is_short = len(mappings) > _FEW_MAPPINGS
    blocks = [each for mapping in mappings for each in _assertions(mapping, is_short=is_short)]
    del blocks[_MOST_ERRORS:]
    trees = []
    for mapping in mappings:
        trees.append(len(blocks))
        blocks.append(tree(harness.trace, mapping.name))
        blocks += _rest(harness, mapping, is_short=is_short)
    if settings := harness.settings.changed_text():
        blocks.append(_indented(f"settings: {settings}"))
    last = f"seed {harness.seed}; run it again with --esm-seed={harness.seed}"
    return "\n\n".join([*_fitting(blocks, trees), last])


def _fitting(blocks: list[str], trees: list[int]) -> list[str]:
    """The blocks in so many lines that the story is not too long; trees give way first."""
    sizes = [block.count("\n") + 2 for block in blocks]  # an empty line is behind each
    room = _MOST_STORY_LINES - 1
    left = room - sum(size for at, size in enumerate(sizes) if at not in trees)
    for rank, at in enumerate(sorted(trees, key=sizes.__getitem__)):
        share = max(_FEWEST_LINES, left // (len(trees) - rank))
        blocks[at] = _shortened(blocks[at], share - 1)
        left -= min(sizes[at], share)
    told: list[str] = []
    for block in blocks:
        room -= block.count("\n") + 2
        if room < 0 or (room < 2 and len(told) < len(blocks) - 1):
            return [*told, f"… and {len(blocks) - len(told)} more paragraphs"]
        told.append(block)
    return told


def _shortened(text: str, most: int) -> str:
    lines = text.split("\n")
    if len(lines) <= most:
        return text
    hidden = len(lines) - most + 1
    more = f"… and {hidden} more lines: print(mapping.timeline(problems_only=True))"
    return "\n".join([*lines[: most - 1], more])


def _assertions(mapping: Mapping, *, is_short: bool) -> list[str]:
    most = _SHORT_ASSERTION_LINES if is_short else _ASSERTION_LINES
    failed = [error for error in _errors(mapping) if isinstance(error, AssertionError)]
    return [_assertion_block(mapping.name, error, most) for error in failed[:_MOST_ERRORS]]


def _assertion_block(name: str, error: AssertionError, most_lines: int) -> str:
    said = error_text(error).partition(": ")[2] or "(it says nothing)"
    lines = [
        part
        for line in map(_printable, said.splitlines())
        for part in textwrap.wrap(line, COLUMNS - 2, drop_whitespace=False) or [""]
    ]
    text = "\n".join(f"  {line}".rstrip() for line in lines[:most_lines])
    return f"An assertion failed in the handler of {name}:\n{text}\n{_where(error)}".rstrip()


def _rest(harness: Harness, mapping: Mapping, *, is_short: bool) -> list[str]:
    """What is told of a mapping below its tree."""
    most = _SHORT_ERROR_LINES if is_short else _ERROR_LINES
    others = [error for error in _errors(mapping) if not isinstance(error, AssertionError)]
    blocks = [_error_block(error, most) for error in others[:_MOST_ERRORS]]
    unread = _unread(harness, mapping)
    blocks += [unread] if unread else []
    changed = mapping.properties.changed()
    if changed:
        given = ", ".join(f"{name}={value}" for name, value in changed.items())
        blocks.append(_indented(f"properties: {given}"))
    return blocks


def _error_block(error: BaseException, most_lines: int) -> str:
    text = clean(error_text(error))
    text = textwrap.fill(text, COLUMNS, max_lines=most_lines, placeholder=" …")
    return f"{text}\n{_where(error)}".rstrip()


def _errors(mapping: Mapping) -> list[BaseException]:
    """The first error of each kind and line, in order.

    Injected errors have no line, and of many retries only some have kept theirs: of a kind that
    has no line at all, the first of each text.
    """
    raised = [each.error for each in mapping.pipeline.books.invocations if each.error is not None]
    kinds_with_line = {type(error).__name__ for error in raised if _where(error)}
    errors: dict[tuple[str, str], BaseException] = {}
    for error in raised:
        kind, line = type(error).__name__, _where(error)
        if line or kind not in kinds_with_line:
            errors.setdefault((kind, line or error_text(error)), error)
    return list(errors.values())


def _where(error: BaseException) -> str:
    """Nothing for an error that was injected."""
    line = users_line(error)
    return "" if line is None else cut(f"  {_printable(str(line))}")


def _unread(harness: Harness, mapping: Mapping) -> str:
    held = sum(
        sum(len(batch.records) for batch in lane.work)
        for machine in harness.runner.machines(mapping.pipeline)
        for lane in machine.lanes
    )
    waiting = mapping.pipeline.lag() - held
    if waiting <= 0:
        return ""
    text = f"{counted(waiting, 'record')} not tried yet"
    if not mapping.pipeline.books.invocations:
        text += ": time passes in advance(), drain() and until() only"
    return text


def _indented(text: str) -> str:
    return textwrap.fill(_printable(text), COLUMNS, subsequent_indent="  ")


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "�" for c in text)
