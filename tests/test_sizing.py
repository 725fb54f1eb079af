"""How many shards a load needs: Kinesis' limits, and the margin on top."""

from __future__ import annotations

from fractions import Fraction

import pytest

from esm.errors import InputError
from esm.sizing import Load, size

QUARTER = Fraction(1, 4)


@pytest.mark.parametrize(
    ("load", "shards", "decisive"),
    [
        (Load(mb=Fraction(20), margin=QUARTER), 25, "bytes written"),
        (Load(mb=Fraction(20), consumers=2, margin=QUARTER), 25, "bytes written"),
        (Load(mb=Fraction(20), consumers=3, margin=QUARTER), 38, "bytes read, shared"),
        (Load(mb=Fraction(20), consumers=0, fan_out=20), 20, "bytes written"),
        (Load(mb=Fraction(1), records=Fraction(5_000)), 5, "records written"),
        (Load(mb=Fraction(1), records=Fraction(5_001)), 6, "records written"),
        (Load(records=Fraction(1)), 1, "records written"),
        # With binary fractions it would be 11.000000000000002 MB/s, and so 12 shards.
        (Load(mb=Fraction(10), margin=Fraction("0.1")), 11, "bytes written"),
    ],
)
def test_the_limit_that_is_reached_first_decides(load: Load, shards: int, decisive: str):
    answer = size(load)
    assert (answer.shards, answer.decisive.name) == (shards, decisive)


def test_five_consumers_read_a_shard_five_times_a_second():
    assert size(Load(mb=Fraction(4), consumers=5)).shards == 10


def test_no_number_of_shards_is_enough_for_a_sixth_consumer():
    with pytest.raises(InputError, match="6 consumers read each shard 6 times") as caught:
        size(Load(mb=Fraction(4), consumers=6, fan_out=1))
    assert caught.value.esm_code == "E450"
    assert caught.value.fix == "--consumers 5 --fan-out 2"


def test_a_stream_has_no_more_than_ten_thousand_shards():
    assert size(Load(mb=Fraction(10_000))).shards == 10_000
    with pytest.raises(InputError) as caught:
        size(Load(mb=Fraction(10_001)))
    assert caught.value.esm_code == "E417"
