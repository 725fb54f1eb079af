"""Settings of the property tests.

A failing property prints the blob that repeats it. In CI the examples are the same every time;
HYPOTHESIS_PROFILE chooses another profile: `deep` for a long search, `mutants` for a short one.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, settings

COMMON = settings(
    deadline=None,
    print_blob=True,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("local", COMMON)
settings.register_profile("ci", COMMON, derandomize=True)
settings.register_profile("deep", COMMON, max_examples=3_000)
# A mutant only has to fail; nobody reads its smallest example.
settings.register_profile(
    "mutants", COMMON, derandomize=True, max_examples=25, database=None, phases=[Phase.generate]
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if "CI" in os.environ else "local"))
