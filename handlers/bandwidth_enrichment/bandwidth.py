"""The function's own library of bandwidth options, `options.json`, and how it is searched.

Per country: `options` is what is sold, `areas` says which of it a postal area can have, and
`everywhere` what every other address of the country can have. The longest area that the postal
code begins with wins: 10115 is in "1011" rather than in "10". An address outside all areas gets
what its country has everywhere; one in a country that is not served gets no options, so that the
application can put the user on a waiting list instead of losing the sign-up.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from pydantic import TypeAdapter

from models import Bandwidth, BandwidthOption, Coverage, Location, Model, Technology


class Terms(Model):
    """An option as the library has it: under its id, in its country's currency."""

    technology: Technology
    download_mbps: int
    upload_mbps: int
    monthly_price: Decimal


class Country(Model):
    """What is sold in a country, and where."""

    currency: str
    options: dict[str, Terms]
    everywhere: tuple[str, ...]
    areas: dict[str, tuple[str, ...]]

    def bandwidth(self, postal_code: str) -> Bandwidth:
        """The options of the nearest area, else those of the whole country."""
        for length in range(len(postal_code), 0, -1):
            if ids := self.areas.get(postal_code[:length]):
                return Bandwidth(coverage=Coverage.AREA, options=self._fastest_first(ids))
        return Bandwidth(coverage=Coverage.COUNTRY, options=self._fastest_first(self.everywhere))

    def _fastest_first(self, ids: tuple[str, ...]) -> tuple[BandwidthOption, ...]:
        options = (
            BandwidthOption(id=option_id, currency=self.currency, **dict(self.options[option_id]))
            for option_id in ids
        )
        return tuple(sorted(options, key=lambda option: -option.download_mbps))


# Read once per execution environment, before the first event.
LIBRARY = TypeAdapter(dict[str, Country]).validate_json(
    Path(__file__).with_name("options.json").read_bytes()
)


def bandwidth_at(location: Location) -> Bandwidth:
    """What can be had at a location; spaces, hyphens and case of the postal code do not matter."""
    country = LIBRARY.get(location.country)
    if country is None:
        return Bandwidth(coverage=Coverage.NONE)
    return country.bandwidth(location.postal_code.replace(" ", "").replace("-", "").upper())
