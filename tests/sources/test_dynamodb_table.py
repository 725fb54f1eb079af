"""The in-memory DynamoDB table and its stream, as users and mappings see them."""

from __future__ import annotations

import re
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esm.core.messages import PollFailed, PollFailure, RecordsArrived
from esm.core.model import After, AtTimestamp, Latest, Position, TrimHorizon
from esm.errors import EsmError, InputError
from esm.payloads.dynamodb import TTL_IDENTITY
from esm.sources.dynamodb_table import DynamoDbTable

START_MS = 1_767_225_600_000
MINUTE_MS, HOUR_MS = 60_000, 3_600_000
HORIZON = TrimHorizon()


class Clock:
    """Virtual time, in ms since START_MS."""

    def __init__(self) -> None:
        self.ms = 0

    def __call__(self) -> int:
        return START_MS + self.ms


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def orders(clock) -> DynamoDbTable:
    return DynamoDbTable("orders", now=clock)


def changes(table: DynamoDbTable) -> list[tuple[str, Any, Any]]:
    """Name, new image and old image of each record."""
    parts = [(r.event_name, r.json) for r in table.records]
    return [(name, part.get("NewImage"), part.get("OldImage")) for name, part in parts]


def opened(table, shard=-1):
    return table.open(table.shards[shard].shard_id, lambda: None)


def read(reader, clock, position: Position = HORIZON, limit=1_000) -> RecordsArrived:
    answer = reader.read(position, limit, clock())
    assert isinstance(answer, RecordsArrived), answer
    return answer


def ordinals(answer: RecordsArrived) -> list[int]:
    return [record.ordinal for record in answer.records]


# --- writing -------------------------------------------------------------------------------------

A = {"pk": {"S": "a"}}


def test_an_item_is_inserted_modified_and_removed(orders):
    orders.put_item({"pk": "a", "total": 1})
    orders.update_item({"pk": "a"}, total=Decimal("2.5"), note=None)
    orders.put_item({"pk": "a"})
    orders.delete_item({"pk": "a"})

    first, second = A | {"total": {"N": "1"}}, A | {"total": {"N": "2.5"}, "note": {"NULL": True}}
    assert changes(orders) == [
        ("INSERT", first, None),
        ("MODIFY", second, first),
        ("MODIFY", A, second),
        ("REMOVE", None, A),
    ]
    assert repr(orders) == "<DynamoDbTable orders: 0 items, 4 records>"


def test_a_write_gives_its_record(orders):
    record = orders.put_item({"pk": "a"})

    assert record is orders.records[0]
    assert (record.ordinal, record.partition_key) == (1, '{"pk":{"S":"a"}}')


@pytest.mark.parametrize(
    "write",
    [
        lambda table: table.put_item({"tags": {"y", "x"}, "pk": "a", "n": Decimal("1.0")}),
        lambda table: table.update_item({"pk": "a"}, n=1),
        lambda table: table.update_item({"pk": "a"}),
        lambda table: table.delete_item({"pk": "missing"}),
        lambda table: table.ttl_delete({"pk": "missing"}),
        lambda table: table.changed({"pk": {"S": "b"}}, None),
    ],
    ids=["put", "update", "update nothing", "delete", "ttl delete", "elsewhere"],
)
def test_a_write_that_changes_nothing_is_not_in_the_stream(orders, write):
    orders.put_item({"pk": "a", "n": 1, "tags": {"x", "y"}})

    assert write(orders) is None
    assert len(orders.records) == 1


def test_an_update_of_a_missing_item_inserts_it(orders):
    orders.update_item({"pk": "a"}, n=1)
    orders.update_item({"pk": "b"})

    assert [r.event_name for r in orders.records] == ["INSERT", "INSERT"]
    assert orders.get_item({"pk": "a"}) == {"pk": "a", "n": 1}


def test_a_table_gives_its_items_back(orders):
    orders.put_item({"pk": "a", "tags": {"x"}, "cart": [{"n": Decimal("1.50")}], "raw": b"\x00"})

    assert orders.get_item({"pk": "a"}) == {
        "pk": "a", "tags": {"x"}, "cart": [{"n": Decimal("1.5")}], "raw": b"\x00",
    }  # fmt: skip
    assert orders.get_item({"pk": "b"}) is None


def test_only_time_to_live_says_who_deleted(orders):
    for delete in (orders.delete_item, orders.ttl_delete):
        orders.put_item({"pk": "a"})
        delete({"pk": "a"})

    assert [r.user_identity for r in orders.records] == [None, None, None, TTL_IDENTITY]


@pytest.mark.parametrize(
    ("view", "shown"),
    [
        ("KEYS_ONLY", [set(), set(), set()]),
        ("NEW_IMAGE", [{"NewImage"}, {"NewImage"}, set()]),
        ("OLD_IMAGE", [set(), {"OldImage"}, {"OldImage"}]),
        ("NEW_AND_OLD_IMAGES", [{"NewImage"}, {"NewImage", "OldImage"}, {"OldImage"}]),
    ],
)
def test_the_view_says_which_images_are_shown(clock, view, shown):
    table = DynamoDbTable("orders", view=view, now=clock)
    image = A | {"n": {"N": "1"}}

    table.put_item({"pk": "a"})
    table.update_item({"pk": "a"}, n=1)
    table.delete_item({"pk": "a"})
    by_table = [r.json for r in table.records]
    table.put_record("INSERT", A, new_image=A)
    table.put_record("MODIFY", A, new_image=image, old_image=A)
    table.put_record("REMOVE", A, old_image=image)
    as_given = [r.json for r in table.records[3:]]

    for parts in (by_table, as_given):
        assert [set(part) & {"NewImage", "OldImage"} for part in parts] == shown
        assert {part["StreamViewType"] for part in parts} == {view}
        assert all(part["Keys"] == A for part in parts)


@pytest.mark.parametrize(
    ("view", "sizes"),
    [
        ("KEYS_ONLY", [5, 5, 5]),
        ("NEW_IMAGE", [26, 38, 5]),
        ("OLD_IMAGE", [5, 26, 38]),
        ("NEW_AND_OLD_IMAGES", [26, 59, 38]),
    ],
)
def test_size_bytes_are_those_of_awss_samples(clock, view, sizes):
    table = DynamoDbTable("samples", ("Id",), view, now=clock)

    table.put_item({"Id": 101, "Message": "New item!"})
    table.update_item({"Id": 101}, Message="This item has changed")
    table.delete_item({"Id": 101})

    assert [r.json["SizeBytes"] for r in table.records] == sizes


def test_a_part_has_awss_keys_in_awss_order(orders):
    orders.put_item({"pk": "a", "bin": b"foobar"})
    part = orders.update_item({"pk": "a"}, n=1).json

    assert list(part) == [
        "ApproximateCreationDateTime", "Keys", "NewImage", "OldImage", "SequenceNumber",
        "SizeBytes", "StreamViewType",
    ]  # fmt: skip
    assert list(part["NewImage"]) == ["bin", "n", "pk"]


def test_a_record_as_given_does_not_touch_the_table(orders):
    orders.put_item({"pk": "a"})
    record = orders.put_record("MODIFY", {"id": {"N": "1.0"}}, {"id": {"N": "1.0"}}, A)

    assert record.json["NewImage"] == {"id": {"N": "1.0"}}
    assert orders.get_item({"pk": "a"}) == {"pk": "a"}


def test_a_change_made_elsewhere_is_told_as_the_tables_own(orders):
    orders.changed(A, A | {"n": {"N": "1.0"}, "raw": {"B": b"foobar"}})
    orders.put_item({"pk": "a", "n": 1, "raw": b"foobar"})
    orders.changed(A, None, TTL_IDENTITY)

    assert [r.event_name for r in orders.records] == ["INSERT", "REMOVE"]
    assert orders.records[0].json["NewImage"]["n"] == {"N": "1"}
    assert orders.records[1].user_identity == TTL_IDENTITY
    assert orders.get_item({"pk": "a"}) is None


def test_arrival_is_told_in_whole_seconds_and_read_in_milliseconds(orders, clock):
    clock.ms = 1_700
    record = orders.put_item({"pk": "a"})

    assert record.arrived_at.isoformat() == "2026-01-01T00:00:01+00:00"
    assert record.json["ApproximateCreationDateTime"] == (START_MS + 1_000) / 1000
    assert opened(orders).read(HORIZON, 10, START_MS + 1_699) == RecordsArrived([])
    assert opened(orders).ready_ms(HORIZON, START_MS) == START_MS + 1_700


# --- mistakes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mistake", "code", "message"),
    [
        (lambda t: t.put_item({"id": 1}), "E462", "the key of this table is pk, not id"),
        (lambda t: t.put_item({"pk": ""}), "E462", "the key attribute pk is {'S': ''}"),
        (lambda t: t.put_item({"pk": None}), "E462", "the key attribute pk is {'NULL': True}"),
        (lambda t: t.put_item({"pk": "a", "n": 0.5}), "E460", "n: DynamoDB has no type for 0.5"),
        (lambda t: t.put_item({"pk": "a", "b": "x" * 409_600}), "E464", "the item has 409604"),
        (lambda t: t.delete_item({}), "E462", "the key of this table is pk, not nothing"),
        (lambda t: t.delete_item({"pk": "a", "n": 1}), "E462", "is pk, not pk, n"),
        (lambda t: t.delete_item("a"), "E460", "an item: DynamoDB has no type for 'a'"),
        (lambda t: t.update_item({"pk": "a"}, pk="b"), "E462", "cannot update attribute pk"),
        (lambda t: t.put_record("UPSERT", A), "E465", "'UPSERT' is nothing that happens"),
        (lambda t: t.put_record("INSERT", {"pk": "a"}), "E461", "keys.pk: 'a' is not one type"),
        (lambda t: t.put_record("INSERT", A, {"n": {"N": 1}}), "E461", "new_image.n: 1 is not"),
        (lambda t: t.changed(A, {"n": 1}), "E461", "new_item.n: 1 is not one type"),
    ],
)
def test_a_mistake_is_told_and_changes_nothing(orders, mistake, code, message):
    with pytest.raises(EsmError, match=re.escape(message)) as raised:
        mistake(orders)

    assert raised.value.esm_code == code
    assert raised.value.fix
    assert repr(orders) == "<DynamoDbTable orders: 0 items, 0 records>"


def test_a_mistake_in_a_key_tells_the_way_out(clock):
    table = DynamoDbTable("orders", ("pk", "sk"), now=clock)

    with pytest.raises(InputError) as raised:
        table.delete_item({"pk": "a"})

    assert str(raised.value) == (
        "E462  the key of this table is pk, sk, not pk\n"
        "why    AWS refuses it: each item has each key attribute, and a key has nothing else\n"
        'fix    {"pk": "a", "sk": "a"}'
    )


@pytest.mark.parametrize(
    ("arguments", "fix"),
    [
        ({"name": ""}, "1 to 255 letters, digits, dots, dashes and underscores"),
        ({"name": "no spaces"}, "1 to 255 letters, digits, dots, dashes and underscores"),
        ({"keys": "pk"}, 'keys=("pk",), or keys=("pk", "sk")'),
        ({"keys": ()}, 'keys=("pk",), or keys=("pk", "sk")'),
        ({"keys": ("a", "a")}, 'keys=("pk",), or keys=("pk", "sk")'),
        ({"keys": ("a", "b", "c")}, 'keys=("pk",), or keys=("pk", "sk")'),
        ({"key_types": {"pk": "BOOL"}}, "one of: S, N, B"),
        ({"view": "ALL"}, "one of: KEYS_ONLY, NEW_IMAGE, OLD_IMAGE, NEW_AND_OLD_IMAGES"),
    ],
)
def test_a_table_that_dynamodb_could_not_have(clock, arguments, fix):
    with pytest.raises(InputError) as raised:
        DynamoDbTable(**{"now": clock} | arguments)

    assert (raised.value.esm_code, raised.value.fix) == ("E463", fix)


def test_a_value_that_cannot_be_is_a_value_error(orders):
    with pytest.raises(ValueError, match=r"no type for 0\.5"):
        orders.put_item({"pk": "a", "n": 0.5})


# --- the stream ----------------------------------------------------------------------------------


def test_names_are_like_awss(orders):
    assert orders.table_arn == "arn:aws:dynamodb:us-east-1:123456789012:table/orders"
    assert orders.arn == f"{orders.table_arn}/stream/2026-01-01T00:00:00.000"
    assert re.fullmatch(r"shardId-\d{20}-[0-9a-f]{8}", orders.shards[0].shard_id)

    record = orders.put_item({"pk": "a"})

    assert re.fullmatch(r"\d{21,40}", record.sequence_number)
    assert re.fullmatch(r"[0-9a-f]{32}", record.event_id)
    assert record.json["SequenceNumber"] == record.sequence_number


def test_the_same_writes_give_the_same_records():
    def written() -> list[Any]:
        table = DynamoDbTable("orders", now=Clock())
        for number in range(3):
            table.put_item({"pk": number, "tags": {"x", "y", "z"}})
            table.roll_shard()
        return table.records

    assert written() == written()
    assert len({record.event_id for record in written()}) == 3


def test_a_shard_rolls_over_to_one_child(orders, clock):
    orders.put_item({"pk": "a"})
    clock.ms = 4 * HOUR_MS
    child = orders.roll_shard()
    orders.put_item({"pk": "a", "n": 1})

    parent, listed = orders.list_shards(clock())
    assert (listed.shard_id, listed.parent_ids) == (child.shard_id, (parent.shard_id,))
    assert [shard.is_open for shard in orders.shards] == [False, True]
    assert [record.shard_id for record in orders.records] == [parent.shard_id, child.shard_id]
    assert (ordinals(read(opened(orders, 0), clock)), ordinals(read(opened(orders), clock))) == (
        [1],
        [2],
    )
    assert read(opened(orders, 0), clock).end_of_shard
    assert orders.record_count == 2


def test_shards_that_roll_at_one_instant_have_ids_of_their_own(orders):
    orders.roll_shard()
    orders.roll_shard()

    assert len({shard.shard_id for shard in orders.shards}) == 3


def test_a_closed_shard_is_gone_with_its_records_a_day_later(orders, clock):
    orders.put_item({"pk": "a"})
    child = orders.roll_shard()
    clock.ms = 24 * HOUR_MS
    assert len(orders.list_shards(clock())) == 2

    clock.ms += 1

    assert [shard.shard_id for shard in orders.list_shards(clock())] == [child.shard_id]
    assert len(orders.list_shards(clock(), since_ms=START_MS)) == 2


def test_records_are_kept_for_24_hours(orders, clock):
    orders.put_item({"pk": "a"})
    clock.ms = 24 * HOUR_MS
    orders.put_item({"pk": "b"})
    assert ordinals(read(opened(orders), clock)) == [1, 2]
    reader = opened(orders)

    clock.ms += 1
    answer = read(reader, clock, After(int(orders.shards[0].starting_sequence_number)))

    assert ([r.ordinal for r in answer.lost], ordinals(answer)) == ([1], [2])


def test_one_read_gives_at_most_1000_records(orders, clock):
    for number in range(1_001):
        orders.put_item({"pk": number})

    answer = read(opened(orders), clock, limit=10_000)

    assert len(answer.records) == 1_000
    assert answer.millis_behind > 0


def test_one_read_gives_at_most_1_mb_but_one_record_always(orders, clock):
    for number in range(4):
        orders.put_item({"pk": number, "blob": "x" * 400_000})
    reader, pages = opened(orders), []
    while answer := read(reader, clock).records:
        pages.append([r.ordinal for r in answer])

    assert pages == [[1, 2], [3, 4]]
    orders.put_item({"pk": 0, "blob": "y" * 400_000})
    orders.update_item({"pk": 0}, blob="é" * 200_000)
    assert ordinals(read(reader, clock)) == [5]


def test_an_iterator_lives_for_15_minutes(orders, clock):
    reader = opened(orders)
    read(reader, clock)
    clock.ms = 15 * MINUTE_MS
    read(reader, clock)

    clock.ms += 15 * MINUTE_MS + 1

    failed = reader.read(HORIZON, 10, clock())
    assert isinstance(failed, PollFailed)
    assert failed.reason is PollFailure.EXPIRED_ITERATOR


@pytest.mark.parametrize(
    ("position", "expected"),
    [
        (TrimHorizon(), [1, 2, 3]),
        (Latest(), [3]),
        (AtTimestamp(START_MS + 1_000), [2, 3]),
    ],
)
def test_positions_are_pinned(orders, clock, position, expected):
    for number in range(2):
        clock.ms = number * 1_000
        orders.put_item({"pk": number})
    shard_id = orders.shards[0].shard_id
    place = orders.pin(shard_id, position, clock())

    orders.put_item({"pk": "later"})

    assert ordinals(read(opened(orders), clock, place)) == expected
    assert orders.count_after(shard_id, place) == len(expected)
    assert orders.pin(shard_id, place, clock()) == place


def test_readers_hear_of_writes_and_of_the_end(orders):
    heard: list[str] = []
    reader = orders.open(orders.shards[0].shard_id, lambda: heard.append("news"))

    orders.put_item({"pk": "a"})
    orders.put_record("INSERT", A)
    orders.changed({"pk": {"S": "b"}}, {"pk": {"S": "b"}})
    orders.put_item({"pk": "a"})  # nothing new
    orders.roll_shard()

    assert len(heard) == 4
    assert reader is not None


def test_what_was_written_into_the_future_keeps_its_items_order(orders, clock):
    """A handler that slept writes ahead of the clock; others go on meanwhile."""
    clock.ms = 10_000
    orders.put_item({"pk": "a"})
    clock.ms = 0
    orders.put_item({"pk": "b"})
    orders.update_item({"pk": "a"}, n=1)

    assert ordinals(read(opened(orders), clock)) == [2]
    clock.ms = 10_000
    assert ordinals(read(opened(orders), clock)) == [2, 1, 3]


def test_a_table_without_records_can_begin_again(orders, clock):
    clock.ms = HOUR_MS
    orders.restart(clock())

    assert orders.shards[0].created_ms == START_MS + HOUR_MS


WRITES = st.lists(
    st.tuples(
        st.sampled_from(["put", "delete", "roll", "wait"]),
        st.integers(0, 2),
        st.integers(0, 1),
    ),
    max_size=25,
)


@given(WRITES)
def test_replaying_the_stream_gives_the_table(writes):
    """New images in the order of sequence numbers, whatever shards they are in."""
    clock = Clock()
    table = DynamoDbTable("orders", now=clock)
    for what, key, value in writes:
        match what:
            case "put":
                table.put_item({"pk": key, "n": value})
            case "delete":
                table.delete_item({"pk": key})
            case "roll":
                table.roll_shard()
            case "wait":
                clock.ms += 700 * value
    replayed: dict[str, Any] = {}
    for record in sorted(table.records, key=lambda r: r.position):
        assert replayed.get(record.key) == record.json.get("OldImage")
        replayed[record.key] = record.json.get("NewImage")

    images = {key: image for key, image in replayed.items() if image is not None}
    assert len(images) == len(table._items)
    for image in images.values():
        assert table.get_item({"pk": int(image["pk"]["N"])}) == {
            "pk": int(image["pk"]["N"]), "n": int(image["n"]["N"]),
        }  # fmt: skip
    assert all(a.position < b.position for a, b in pairwise(table.records))
