"""Filter patterns in a template: what AWS refuses, and keys that only other sources' records have.

The language is `esm.core.filtering`'s, AWS's answer to a mistake in it `esm.mapping.filters`'.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from esm.mapping.filters import DATA_KEYS, FilterFault, judge
from esm.mapping.refusals import FILTER_OTHER_KEY
from esm.mapping.sources import Source
from esm.template.model import SourceKind

# Beside the data of each source; "body" is that of queues.
_FOREIGN_KEYS = {"body", *DATA_KEYS.values()}


def fault_of(pattern: str, kind: SourceKind) -> FilterFault | None:
    """The first thing that is wrong with a pattern for this kind of source."""
    source = None if kind is SourceKind.UNKNOWN else Source(kind.value)
    judged = judge(pattern, source)
    if isinstance(judged, FilterFault):
        return judged
    return None if source is None else _key_fault(json.loads(pattern), source)


def _key_fault(root: Mapping[str, object], source: Source) -> FilterFault | None:
    """A key that only other sources' records have; keys that nobody has are left to AWS."""
    own = DATA_KEYS[source]
    for key in root:
        if key in _FOREIGN_KEYS - {own}:
            meant = {own if name == key else name: value for name, value in root.items()}
            message = f'records of {source} have no "{key}", their data is under "{own}"'
            text = json.dumps(meant, ensure_ascii=False)
            return FilterFault(FILTER_OTHER_KEY, message, (key,), text)
    return None
