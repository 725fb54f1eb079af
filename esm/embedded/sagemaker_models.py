"""Model files of a project: small regressions in JSON, as a training script writes them.

A linear model is `intercept` plus the sum of coefficient times feature:

    {"kind": "linear", "features": ["views", "stock"], "intercept": 90.0,
     "coefficients": [0.5, -0.2]}

A boosted one is `base` plus `learning_rate` times what each tree says. A tree is a number, or asks
whether a feature is below a threshold:

    {"kind": "boosted", "features": ["views", "stock"], "base": 100.0, "learning_rate": 0.1,
     "trees": [{"feature": "views", "threshold": 10, "below": -3.0, "else": 4.5}]}

Both may have `minimum` and `maximum`, between which every score is kept.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec

from esm.errors import EndpointError, Place

_MAXIMUM_BYTES = 64 * 1024 * 1024
_MAXIMUM_DEPTH = 100

Features = Mapping[str, object] | Sequence[object]
"""One instance: values by the names of the features, or in their order."""


class BadInstance(ValueError):
    """An instance that a model cannot read; its container answers 400."""


class Model(Protocol):
    """Something that gives an instance a score."""

    @property
    def features(self) -> Sequence[str]:
        """The names of what it looks at, in the order of a row."""

    def score(self, row: Sequence[float]) -> float:
        """The score of one row."""


class _Bounded(msgspec.Struct, frozen=True):
    features: tuple[str, ...]
    minimum: float = -math.inf
    maximum: float = math.inf

    def kept(self, score: float) -> float:
        """A score between minimum and maximum."""
        return min(max(score, self.minimum), self.maximum)


class LinearModel(
    _Bounded, frozen=True, tag_field="kind", tag="linear", forbid_unknown_fields=True
):
    """A weighted sum."""

    intercept: float = msgspec.field(default=0.0)
    coefficients: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if len(self.coefficients) != len(self.features):
            raise ValueError(
                f"{len(self.features)} features and {len(self.coefficients)} coefficients"
            )

    def score(self, row: Sequence[float]) -> float:
        """The score of one row."""
        weighted = (c * value for c, value in zip(self.coefficients, row, strict=True))
        return self.kept(self.intercept + math.fsum(weighted))


class Split(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A node of a tree: whether a feature is below a threshold."""

    feature: str
    threshold: float
    below: Split | float
    other: Split | float = msgspec.field(name="else")


class BoostedModel(
    _Bounded, frozen=True, tag_field="kind", tag="boosted", forbid_unknown_fields=True
):
    """A sum of small trees."""

    base: float = 0.0
    learning_rate: float = 1.0
    trees: tuple[Split | float, ...] = ()

    def __post_init__(self) -> None:
        for tree in self.trees:
            _check_tree(tree, frozenset(self.features))

    def score(self, row: Sequence[float]) -> float:
        """The score of one row."""
        values = dict(zip(self.features, row, strict=True))
        leaves = math.fsum(_leaf(tree, values) for tree in self.trees)
        return self.kept(self.base + self.learning_rate * leaves)


def load_model(path: Path) -> Model:
    """The model in a file; raises EndpointError E505 for one that is none."""
    try:
        with path.open("rb") as file:
            data = file.read(_MAXIMUM_BYTES + 1)  # a device may have no end
    except OSError as error:
        raise _unusable(path, f"it cannot be read: {error.strerror}") from None
    if len(data) > _MAXIMUM_BYTES:
        raise _unusable(path, f"it has more than {_MAXIMUM_BYTES:,} bytes")
    try:
        return msgspec.json.decode(data, type=LinearModel | BoostedModel)
    except (msgspec.DecodeError, RecursionError) as error:
        raise _unusable(path, str(error) or "it is nested too deeply") from None


@dataclass(frozen=True, slots=True)
class Scorer:
    """A model, and how its instances are read."""

    model: Model

    def __call__(self, instance: Features) -> float:
        """The score of one instance; raises BadInstance."""
        if isinstance(instance, Mapping):
            missing = [name for name in self.model.features if name not in instance]
            if missing:
                raise BadInstance(f"feature {missing[0]!r} is missing")
            instance = [instance[name] for name in self.model.features]
        if len(instance) != len(self.model.features):
            raise BadInstance(f"{len(self.model.features)} features wanted, not {len(instance)}")
        pairs = zip(self.model.features, instance, strict=True)
        return self.model.score([_number(name, value) for name, value in pairs])


def _number(name: str, value: object) -> float:
    # Not `math.isfinite`, which cannot take an integer that no float holds.
    if (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and abs(value) <= sys.float_info.max
    ):
        return float(value)
    raise BadInstance(f"feature {name!r} must be a number, not {str(value)[:40]!r}")


def _leaf(tree: Split | float, values: Mapping[str, float]) -> float:
    while isinstance(tree, Split):
        tree = tree.below if values[tree.feature] < tree.threshold else tree.other
    return tree


def _check_tree(tree: Split | float, features: frozenset[str], depth: int = 0) -> None:
    if not isinstance(tree, Split):
        return
    if depth == _MAXIMUM_DEPTH:
        raise ValueError(f"a tree is deeper than {_MAXIMUM_DEPTH}")
    if tree.feature not in features:
        raise ValueError(f"a tree asks for {tree.feature!r}, which is no feature")
    for branch in (tree.below, tree.other):
        _check_tree(branch, features, depth + 1)


def _unusable(path: Path, why: str) -> EndpointError:
    return EndpointError(
        "E505",
        "this is no model that can be served",
        place=Place(str(path)),
        why=why,
        fix='{"kind": "linear", "features": ["x"], "intercept": 0.0, "coefficients": [1.0]}',
    )
