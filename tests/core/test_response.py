"""ReportBatchItemFailures, one row for each rule of the table."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esm.core.response import Partial, Rejected, Success, read_response, read_state

BATCH = ["101", "102", "103", "104"]


def failures(*identifiers):
    return {"batchItemFailures": [{"itemIdentifier": i} for i in identifiers]}


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(failures(), id="an empty list of failures"),
        pytest.param({"batchItemFailures": None}, id="null for the list of failures"),
        pytest.param({}, id="an empty object"),
        pytest.param(None, id="null or an empty body"),
        pytest.param("", id="an empty string"),
        pytest.param([], id="an empty list"),
        pytest.param({"ok": 1}, id="only keys that mean nothing"),
    ],
)
def test_the_whole_batch_succeeded(payload):
    assert read_response(payload, BATCH) == Success()


@pytest.mark.parametrize(
    ("payload", "failed_from"),
    [
        pytest.param(failures("102"), 1, id="one identifier is the checkpoint"),
        pytest.param(failures("104", "102", "103"), 1, id="the lowest of several"),
        pytest.param(failures("103", "103"), 2, id="the same one twice"),
        pytest.param(failures("101"), 0, id="the first record is no progress"),
        pytest.param(failures("104"), 3, id="the last record alone"),
        pytest.param({**failures("103"), "state": {}}, 2, id="beside other keys"),
        pytest.param(
            {"batchItemFailures": [{"itemIdentifier": "103", "why": 1}]}, 2, id="with other keys"
        ),
    ],
)
def test_the_batch_failed_from_a_record_on(payload, failed_from):
    assert read_response(payload, BATCH) == Partial(failed_from)


def test_the_lowest_is_by_place_in_the_batch_not_by_text():
    assert read_response(failures("99", "100"), ["99", "100"]) == Partial(0)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        pytest.param(
            failures(""),
            'batchItemFailures[0].itemIdentifier "" is not in the batch',
            id="an empty identifier",
        ),
        pytest.param(
            failures(None),
            "batchItemFailures[0].itemIdentifier must be a string, not null",
            id="a null identifier",
        ),
        pytest.param(
            {"batchItemFailures": [{"foo": 123}]},
            "batchItemFailures[0] has no itemIdentifier",
            id="a bad key",
        ),
        pytest.param(
            {"batchItemFailures": [{"foo": None}]},
            "batchItemFailures[0] has no itemIdentifier",
            id="a bad key with null",
        ),
        pytest.param(
            failures(101),
            "batchItemFailures[0].itemIdentifier must be a string, not a number",
            id="a number, even one that reads like an identifier",
        ),
        pytest.param(
            failures("999"),
            'batchItemFailures[0].itemIdentifier "999" is not in the batch',
            id="an identifier of no record in the batch",
        ),
        pytest.param(
            failures(" 101"),
            'batchItemFailures[0].itemIdentifier " 101" is not in the batch',
            id="identifiers are exact strings",
        ),
        pytest.param(
            failures("102", "999", "998"),
            'batchItemFailures[1].itemIdentifier "999" is not in the batch',
            id="valid and invalid identifiers mixed",
        ),
        pytest.param(
            failures("x" * 100),
            f'batchItemFailures[0].itemIdentifier "{"x" * 80}…" is not in the batch',
            id="a long identifier is shown short",
        ),
        pytest.param(
            failures("x" * 80),
            f'batchItemFailures[0].itemIdentifier "{"x" * 80}" is not in the batch',
            id="one of 80 characters is shown whole",
        ),
        pytest.param(
            failures("\x1b[31m"),
            r"batchItemFailures[0].itemIdentifier '\x1b[31m' is not in the batch",
            id="a reason never carries control characters",
        ),
        pytest.param([1], "the response must be an object, not a list", id="a list with items"),
        pytest.param("ok", "the response must be an object, not a string", id="a string"),
        pytest.param(0, "the response must be an object, not a number", id="zero"),
        pytest.param(1.5, "the response must be an object, not a number", id="a number"),
        pytest.param(False, "the response must be an object, not a boolean", id="a boolean"),
        pytest.param(
            {"batchItemFailures": {}},
            "batchItemFailures must be a list, not an object",
            id="an object in place of the list",
        ),
        pytest.param(
            {"batchItemFailures": ""},
            "batchItemFailures must be a list, not a string",
            id="an empty string in place of the list",
        ),
        pytest.param(
            {"batchItemFailures": ["101"]},
            "batchItemFailures[0] must be an object, not a string",
            id="entries that are no objects",
        ),
    ],
)
def test_the_whole_batch_failed(payload, reason):
    assert read_response(payload, BATCH) == Rejected(reason)


def test_a_batch_of_ten_thousand_is_read_in_one_pass():
    class Counted(list):
        visits = 0

        def __iter__(self):
            for item in super().__iter__():
                Counted.visits += 1
                yield item

    batch = Counted(str(i) for i in range(10_000))
    reported = failures(*(str(i) for i in range(9_999, 4_999, -1)))

    assert read_response(reported, batch) == Partial(5_000)
    assert Counted.visits <= 2 * 10_000


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(BATCH),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["batchItemFailures", "itemIdentifier"]) | st.text(), inner, max_size=4
        )
    ),
    max_leaves=12,
)
ENTRIES = st.lists(JSON | st.fixed_dictionaries({"itemIdentifier": JSON}), max_size=5)


@given(payload=JSON | st.fixed_dictionaries({"batchItemFailures": ENTRIES}))
def test_any_json_gets_one_of_three_answers(payload):
    match read_response(payload, BATCH):
        case Success():
            assert not isinstance(payload, dict) or not payload.get("batchItemFailures")
        case Partial(failed_from):
            reported = [f["itemIdentifier"] for f in payload["batchItemFailures"]]
            assert failed_from == min(BATCH.index(identifier) for identifier in reported)
        case Rejected(reason):
            assert reason.isprintable()


@pytest.mark.parametrize(
    ("payload", "state"),
    [
        pytest.param({"state": {"sum": 5}}, {"sum": 5}, id="an object"),
        pytest.param({"state": {}}, {}, id="an empty object"),
        pytest.param({**failures("102"), "state": {"sum": 5}}, {"sum": 5}, id="beside failures"),
    ],
)
def test_the_state_of_a_tumbling_window(payload, state):
    assert read_state(payload) == state


@pytest.mark.parametrize(
    ("payload", "what"),
    [
        pytest.param(None, "no state", id="nothing was returned"),
        pytest.param({}, "no state", id="an empty object"),
        pytest.param({"State": {}}, "no state", id="case matters"),
        pytest.param({"state": None}, "no state", id="null is none"),
        pytest.param("state", "no state", id="a string"),
        pytest.param([{"state": {}}], "no state", id="a list"),
        pytest.param({"state": 5}, "a state that is a number", id="a number for a state"),
        pytest.param({"state": False}, "a state that is a boolean", id="false is not none"),
        pytest.param({"state": [1]}, "a state that is a list", id="a list for a state"),
        pytest.param({"state": "{}"}, "a state that is a string", id="JSON text for a state"),
    ],
)
def test_a_response_of_a_tumbling_window_without_its_state(payload, what):
    reason = f"the response of a tumbling window must have an object as state, it has {what}"
    assert read_state(payload) == Rejected(reason)
