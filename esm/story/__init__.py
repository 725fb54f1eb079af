"""A run as text: `timeline` tells all of it in order, `tree` what failed and how it ended.

Both read the trace and nothing else. Records are shown by their ordinals, in 80 columns.
"""

from esm.story.timeline import timeline
from esm.story.tree import tree

__all__ = ["timeline", "tree"]
