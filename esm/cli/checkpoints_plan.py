"""What a reset would do: which checkpoints, and to which places."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from esm.checkpoints.sqlite_file import Incarnation, Saved
from esm.cli.checkpoints_places import Form, checkpoint_of, position_of
from esm.errors import StateError
from esm.ports import Checkpoint


@dataclass(frozen=True, slots=True)
class Scope:
    """Which checkpoints; no mapping: those of all, no shards: all of the mapping's."""

    mapping: str | None = None
    shards: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """A shard's checkpoint, and what takes its place; None: none, or none any more."""

    incarnation: Incarnation
    shard_id: str
    before: Checkpoint | None
    after: Checkpoint | None

    @property
    def is_one(self) -> bool:
        """Whether anything changes."""
        return self.before != self.after


Target = Callable[[Sequence[Incarnation], Scope], list[Change]]
"""Makes the plan for everything that is in the file."""


def to_current(state: Sequence[Incarnation], scope: Scope) -> list[Change]:
    """Everything stays where it is."""
    return [
        Change(each, shard_id, saved.checkpoint, saved.checkpoint)
        for each in _of_mapping(state, scope)
        for shard_id, saved in each.shards.items()
        if not scope.shards or shard_id in scope.shards
    ]


def to_instant(instant_ms: int) -> Target:
    """To the first record that arrived then or later; 0 is TRIM_HORIZON.

    The state of an open window belongs to the place that is left, and is given up.
    """
    return _to(lambda _: Checkpoint(0, pinned=True, pinned_at_ms=instant_ms))


def to_sequence_number(number: str) -> Target:
    """To the record that follows this one; of one shard, as no other has the number."""

    def plan(state: Sequence[Incarnation], scope: Scope) -> list[Change]:
        changes = _to(lambda each: Checkpoint(position_of(each.stream, number)))(state, scope)
        if len(changes) != 1:
            shard_ids = sorted({change.shard_id for change in changes})
            raise _impossible(
                f"--to-sequence-number is for one shard, and these are {len(changes)}",
                why="a sequence number is that of one record, in one shard",
                fix=f"--shard {shard_ids[0]}" if shard_ids else "esm checkpoints",
            )
        return changes

    return plan


def shift_by(count: int) -> Target:
    """Kafka's way by a number of records, which shards do not have."""
    raise _impossible(
        f"--shift-by {count} cannot be done for a shard",
        why="its sequence numbers have gaps: nobody can tell which record is so many further",
        fix="--by-duration 10m",
    )


def from_forms(forms: Iterable[Form]) -> Target:
    """To what a file says of the shards in the scope."""

    def plan(state: Sequence[Incarnation], scope: Scope) -> list[Change]:
        _of_mapping(state, scope)
        wanted = [form for form in forms if scope.mapping in (None, form.mapping)]
        return [
            _from_form(state, form)
            for form in wanted
            if not scope.shards or form.shard_id in scope.shards
        ]

    return plan


def undo_fresh(state: Sequence[Incarnation], scope: Scope) -> list[Change]:
    """To what the last `--fresh` has set aside."""
    changes = []
    for each in _of_mapping(state, scope):
        aside = [other for other in state if other.forgotten and _is_of_one_stream(other, each)]
        before = aside[-1].shards if aside else {}
        changes += [_change(each, shard_id, saved.checkpoint) for shard_id, saved in before.items()]
    return [each for each in changes if not scope.shards or each.shard_id in scope.shards]


# --- inside ---------------------------------------------------------------------------------------


def _to(place: Callable[[Incarnation], Checkpoint]) -> Target:
    def plan(state: Sequence[Incarnation], scope: Scope) -> list[Change]:
        return [
            Change(each.incarnation, each.shard_id, each.before, place(each.incarnation))
            for each in to_current(state, scope)
        ]

    return plan


def _of_mapping(state: Sequence[Incarnation], scope: Scope) -> list[Incarnation]:
    """The checkpoints that apply now; raises StateError E606 for names that are not there."""
    current = [each for each in state if each.set_aside_at_ms is None]
    if scope.mapping is None:
        return current
    found = [each for each in current if each.mapping == scope.mapping]
    if not found:
        raise _unknown("mapping", scope.mapping, {each.mapping for each in current})
    shard_ids = {shard_id for each in found for shard_id in each.shards}
    for shard_id in scope.shards:
        if shard_id not in shard_ids:
            raise _unknown("shard", shard_id, shard_ids)
    return found


def _unknown(what: str, name: str, known: Iterable[str]) -> StateError:
    names = sorted(known)
    nearest = difflib.get_close_matches(name, names, n=1, cutoff=0.0)
    return StateError(
        "E606",
        f"there are no checkpoints of a {what} {name}",
        why=None if names else "nothing has run in this folder yet",
        fix=nearest[0] if nearest else "esm run",
    )


def _is_of_one_stream(one: Incarnation, other: Incarnation) -> bool:
    return (one.mapping, one.stream, one.incarnation) == (
        other.mapping, other.stream, other.incarnation,
    )  # fmt: skip


def _from_form(state: Sequence[Incarnation], form: Form) -> Change:
    for each in _of_mapping(state, Scope(form.mapping)):
        if each.stream == form.stream:
            if form.incarnation not in (None, each.incarnation):
                raise _of_another_incarnation(form)
            return _change(each, form.shard_id, checkpoint_of(form))
    raise _of_another_incarnation(form)


def _change(incarnation: Incarnation, shard_id: str, after: Checkpoint | None) -> Change:
    return Change(incarnation, shard_id, _saved(incarnation.shards, shard_id), after)


def _saved(shards: Mapping[str, Saved], shard_id: str) -> Checkpoint | None:
    saved = shards.get(shard_id)
    return saved.checkpoint if saved else None


def _impossible(message: str, *, why: str, fix: str) -> StateError:
    return StateError("E608", message, why=why, fix=fix)


def _of_another_incarnation(form: Form) -> StateError:
    return StateError(
        "E609",
        f"the file's checkpoints of {form.mapping} are of another stream than it reads now",
        why="it was made anew since, or is another one; its places mean other records there",
        fix=f"esm checkpoints reset {form.mapping} --to-earliest",
    )
