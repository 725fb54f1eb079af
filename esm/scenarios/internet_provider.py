"""Sign-ups of an internet provider, each with the location where the connection is wanted.

Evenings are busy and nights are not. One reseller signs up many customers under an account of its
own: a hot key. The application's offline mode sends some sign-ups hours late, a few come twice, and
now and then an old version of it sends something that is no sign-up.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator

from esm.instants import iso_ms
from esm.scenarios import ScenarioRecord
from esm.scenarios.daily import arrivals

BUSIEST_HOUR, SWING = 19, 0.7
HOT_USER, HOT_SHARE = "reseller-01", 0.15
LATE_SHARE, MALFORMED_SHARE, AGAIN_SHARE = 0.01, 0.005, 0.01

_LATE_MS = (30 * 60_000, 6 * 3_600_000)
_PROMPT_MS = (20, 1_500)
_PLACES = (
    ("DE", "10115", "Berlin", "Invalidenstraße"),
    ("DE", "20095", "Hamburg", "Mönckebergstraße"),
    ("DE", "50667", "Köln", "Hohe Straße"),
    ("DE", "80331", "München", "Sendlinger Straße"),
    ("DE", "94078", "Freyung", "Stadtplatz"),
    ("GB", "EC1A 1BB", "London", "Aldersgate Street"),
    ("GB", "EH1 1BB", "Edinburgh", "Cockburn Street"),
    ("GB", "IV1 1HQ", "Inverness", "Church Street"),
    ("US", "10001", "New York", "West 30th Street"),
    ("US", "59718", "Bozeman", "Durston Road"),
    ("IS", "101", "Reykjavík", "Laugavegur"),
)
_PEOPLE = (9, 4, 4, 4, 1, 8, 2, 1, 7, 1, 1)  # how much more often a place comes than the smallest
_GIVEN_NAMES = ("Ada", "Aylin", "Chloé", "Emre", "Hannah", "Ines", "Jörg", "Noah", "Priya", "Zoë")
_FAMILY_NAMES = ("Arslan", "Baker", "Brandt", "Costa", "Hughes", "Ito", "Müller", "Novák", "Patel")


def records(
    rng: random.Random, start_ms: int, duration_ms: int, rate: float
) -> Iterator[ScenarioRecord]:
    """Sign-ups in the order in which they arrive; `rate` a second over a day."""
    instants = arrivals(rng, start_ms, duration_ms, rate, busiest_hour=BUSIEST_HOUR, swing=SWING)
    before: ScenarioRecord | None = None
    for number, at_ms in enumerate(instants, 1):
        if before is not None and rng.random() < AGAIN_SHARE:
            before = ScenarioRecord(at_ms, before.key, before.data)
        else:
            before = _arrived(number, at_ms, rng)
        yield before


def _arrived(number: int, at_ms: int, rng: random.Random) -> ScenarioRecord:
    """A sign-up on its way; a few are spoilt."""
    delay_ms = rng.randint(*(_LATE_MS if rng.random() < LATE_SHARE else _PROMPT_MS))
    user = HOT_USER if rng.random() < HOT_SHARE else f"user-{number:06d}"
    sign_up = _sign_up(number, user, at_ms - delay_ms, rng)
    if rng.random() < MALFORMED_SHARE:
        return ScenarioRecord(at_ms, user, _spoilt(sign_up, rng))
    return ScenarioRecord(at_ms, user, sign_up)


def _sign_up(number: int, user: str, signed_up_ms: int, rng: random.Random) -> dict[str, object]:
    [(country, postal_code, city, street)] = rng.choices(_PLACES, _PEOPLE)
    return {
        "user": {
            "id": user,
            "name": f"{rng.choice(_GIVEN_NAMES)} {rng.choice(_FAMILY_NAMES)}",
            "email": f"user{number:06d}@example.com",
        },
        "location": {
            "country": country,
            "postal_code": postal_code,
            "city": city,
            "street": f"{street} {rng.randint(1, 120)}",
        },
        "signed_up_at": iso_ms(signed_up_ms),
    }


def _spoilt(sign_up: dict[str, object], rng: random.Random) -> bytes:
    """Cut off in the middle, or without its location, as before the application asked for it."""
    if rng.random() < 0.5:
        text = json.dumps(sign_up).encode()
        return text[: rng.randrange(1, len(text))]
    return json.dumps({name: sign_up[name] for name in ("user", "signed_up_at")}).encode()
