"""Captures: every form they come in, what they replay as, and what is wrong with garbage."""

import base64
import gzip
import json
import os
import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from esm.core.messages import RecordsArrived
from esm.core.model import After, AtTimestamp, Latest, Shard, TrimHorizon
from esm.errors import InputError, NotEmulated
from esm.sources.capture import UNKNOWN_ARN, Capture, CaptureSource, read_captures
from esm.sources.capture_text import CaptureFile

ARN = "arn:aws:kinesis:eu-west-1:123456789012:stream/orders"
ROLE = "arn:aws:iam::123456789012:role/orders-role"
SHARD = "shardId-000000000000"
START_MS = 1_767_225_600_000  # 2026-01-01T00:00:00Z


def event_record(number, *, shard=SHARD, arrived_ms=None, data=b"hi", **changes):
    arrived_ms = START_MS + 1_000 * number if arrived_ms is None else arrived_ms
    return {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": f"key-{number}",
            "sequenceNumber": str(number),
            "data": base64.b64encode(data).decode(),
            "approximateArrivalTimestamp": arrived_ms / 1000,
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"{shard}:{number}",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": ROLE,
        "awsRegion": "eu-west-1",
        "eventSourceARN": ARN,
        **changes,
    }


def event(*numbers, **options):
    return {"Records": [event_record(number, **options) for number in numbers]}


def output_record(number, arrived):
    return {
        "SequenceNumber": str(number),
        "ApproximateArrivalTimestamp": arrived,
        "Data": base64.b64encode(b"hi").decode(),
        "PartitionKey": f"key-{number}",
    }


def on_failure(payload):
    return {
        "requestContext": {"condition": "RetryAttemptsExhausted"},
        "responseContext": {"statusCode": 200},
        "version": "1.0",
        "timestamp": "2026-01-01T00:00:00.000Z",
        "KinesisBatchInfo": {"shardId": SHARD, "batchSize": 2},
        "payload": payload,
    }


@pytest.fixture
def write(tmp_path):
    def write(content, name="capture.json"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not isinstance(content, (str, bytes)):
            content = json.dumps(content)
        data = content.encode() if isinstance(content, str) else content
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return path

    return write


def sequence_numbers(capture, shard=SHARD):
    return [record.sequence_number for record in capture.shards[shard]]


def lines(*documents):
    return "\n".join(json.dumps(document) for document in documents) + "\n"


class TestForms:
    @pytest.mark.parametrize(
        ("name", "content"),
        [
            pytest.param("event.json", json.dumps(event(1, 2, 3)), id="an event"),
            pytest.param("event.json", json.dumps(event(1, 2, 3), indent=2), id="indented"),
            pytest.param("event.json", "\ufeff" + json.dumps(event(1, 2, 3)), id="after a BOM"),
            pytest.param("event.json.gz", json.dumps(event(1, 2, 3), indent=1), id="gzipped"),
            pytest.param("events.jsonl", lines(event(1), event(2, 3)), id="an event on each line"),
            pytest.param(
                "records.jsonl",
                lines(*event(1, 2, 3)["Records"]).replace("\n", "\r\n\r\n"),
                id="a record on each line, blank ones between",
            ),
            pytest.param("events.txt", lines(event(1), event(2, 3)), id="lines by another name"),
            pytest.param("events.jsonl.gz", lines(event(1), event(2, 3)), id="gzipped lines"),
            pytest.param(
                "object", json.dumps(on_failure(json.dumps(event(1, 2, 3)))), id="from a bucket"
            ),
        ],
    )
    def test_what_lambda_has_shown(self, write, name, content):
        capture = read_captures([write(content, name)])

        assert sequence_numbers(capture) == ["1", "2", "3"]
        first = capture.shards[SHARD][0]
        assert first.partition_key == "key-1"
        assert first.data == b"hi"
        assert first.arrived_ms == START_MS + 1_000
        assert first.shard_id == SHARD
        assert capture.event_source_arn == ARN
        assert (capture.region, capture.role_arn) == ("eu-west-1", ROLE)

    @pytest.mark.parametrize(
        ("arrived", "arrived_ms"),
        [
            pytest.param("2026-01-01T01:00:00.123000+01:00", START_MS + 123, id="AWS CLI 2"),
            pytest.param("2026-01-01T00:00:00.123Z", START_MS + 123, id="UTC"),
            pytest.param("2026-01-01 00:00:00.123000+00:00", START_MS + 123, id="Python's str"),
            pytest.param(1_767_225_600.123, START_MS + 123, id="epoch seconds"),
            pytest.param(1_767_225_600, START_MS, id="whole epoch seconds"),
        ],
    )
    @pytest.mark.parametrize("form", ["the answer", "a record on each line"])
    def test_get_records(self, write, form, arrived, arrived_ms):
        records = [output_record(1, arrived), output_record(2, arrived)]
        if form == "the answer":
            path = write({"Records": records, "NextShardIterator": "AAA", "MillisBehindLatest": 0})
        else:
            path = write(lines(*records), "records.jsonl")

        capture = read_captures([path])

        assert [record.arrived_ms for record in capture.shards[SHARD]] == [arrived_ms, arrived_ms]
        assert capture.event_source_arn is None
        assert CaptureSource(capture).arn == UNKNOWN_ARN

    def test_an_empty_answer_among_others_is_fine(self, write):
        write({"Records": []}, "a.json")
        folder = write(event(1), "b.json").parent

        assert sequence_numbers(read_captures([folder])) == ["1"]


class TestFiles:
    def test_a_folder_is_read_with_the_folders_in_it(self, write, tmp_path):
        write(event(3), "b.json")
        write(event(2), "more/c.jsonl.gz")
        write(on_failure(json.dumps(event(1))), "aws/2026-01-01T00.00.00-6f1d2f6c-2b1e")
        write("# About these", "README.md")
        write("{", ".hidden.json")

        assert sequence_numbers(read_captures([tmp_path])) == ["1", "2", "3"]

    def test_a_glob_is_read(self, write, tmp_path):
        write(event(1), "a-1.json")
        write(event(2), "deep/er/a-2.json")
        write("garbage", "b.json")

        assert sequence_numbers(read_captures([f"{tmp_path}/**/a-*.json"])) == ["1", "2"]

    def test_a_file_that_is_named_twice_is_read_once(self, write, tmp_path):
        path = write(event(1))

        capture = read_captures([path, str(tmp_path), f"{tmp_path}/*"])

        assert sequence_numbers(capture) == ["1"]
        assert capture.duplicates == 0

    def test_a_file_with_brackets_in_its_name_is_no_glob(self, write):
        assert sequence_numbers(read_captures([write(event(1), "[1].json")])) == ["1"]

    def test_progress_is_told(self, write):
        seen = []
        path = write(lines(*(event_record(n) for n in range(2_500))), "r.jsonl")

        read_captures([path], on_progress=lambda records, size: seen.append((records, size)))

        assert [records for records, _ in seen] == [1_000, 2_000, 2_500]
        assert seen[-1][1] == path.stat().st_size

    def test_hidden_folders_and_loops_are_passed_by(self, write, tmp_path):
        write(event(1), "a.json")
        write(event(2), ".venv/b.json")
        (tmp_path / "self").symlink_to(tmp_path)
        (tmp_path / "loop.json").symlink_to("loop.json")
        os.mkfifo(tmp_path / "pipe.json")
        assert sequence_numbers(read_captures([tmp_path])) == ["1"]


class TestOrder:
    def test_records_lie_by_sequence_number_whatever_the_order_of_files(self, write, tmp_path):
        write(event(30, 4), "a.json")
        write(event(100, 5), "b.json")

        assert sequence_numbers(read_captures([tmp_path])) == ["4", "5", "30", "100"]

    def test_a_record_that_is_there_twice_is_taken_once(self, write, tmp_path):
        write(event(1, 2), "first attempt.json")
        write(event(2, 3), "second attempt.json")

        capture = read_captures([tmp_path])

        assert sequence_numbers(capture) == ["1", "2", "3"]
        assert capture.duplicates == 1

    def test_the_same_number_in_two_shards_is_two_records(self, write):
        records = [event_record(1), event_record(1, shard="shardId-000000000001")]

        capture = read_captures([write({"Records": records})])

        assert {shard: len(found) for shard, found in capture.shards.items()} == {
            "shardId-000000000000": 1,
            "shardId-000000000001": 1,
        }
        assert capture.duplicates == 0

    def test_ordinals_follow_arrival_over_all_shards(self, write):
        other = "shardId-000000000001"
        records = [
            event_record(1, arrived_ms=START_MS + 3),
            event_record(1, arrived_ms=START_MS + 1, shard=other),
            event_record(2, arrived_ms=START_MS + 2, shard=other),
        ]

        source = CaptureSource(read_captures([write({"Records": records})]))

        assert [(r.ordinal, r.shard_id, r.sequence_number) for r in source.records] == [
            (1, other, "1"),
            (2, other, "2"),
            (3, SHARD, "1"),
        ]


class TestReplay:
    def source(self, write, *arrivals, at_once=False):
        records = [
            event_record(n, arrived_ms=START_MS + offset) for n, offset in enumerate(arrivals, 1)
        ]
        return CaptureSource(read_captures([write({"Records": records})]), at_once=at_once)

    def read(self, source, position, now_ms, limit=10_000):
        answer = source.open(SHARD, lambda: None).read(position, limit, now_ms)
        assert isinstance(answer, RecordsArrived)
        assert not answer.end_of_shard
        return [record.position for record in answer.records], answer.millis_behind

    def test_it_starts_at_the_earliest_arrival(self, write):
        assert self.source(write, 5_000, 2_000).start_ms == START_MS + 2_000

    def test_records_appear_when_they_arrived(self, write):
        source = self.source(write, 0, 1_000, 5_000)
        reader = source.open(SHARD, lambda: None)

        assert self.read(source, TrimHorizon(), START_MS) == ([1], 0)
        assert self.read(source, After(1), START_MS + 999) == ([], 0)
        assert self.read(source, After(1), START_MS + 1_000) == ([2], 0)
        assert reader.ready_ms(TrimHorizon(), START_MS) == START_MS
        assert reader.ready_ms(After(1), START_MS) == START_MS + 1_000
        assert reader.ready_ms(After(3), START_MS) is None

    def test_all_at_once_they_are_there_from_the_start(self, write):
        source = self.source(write, 0, 1_000, 5_000, at_once=True)

        assert source.start_ms == START_MS
        assert self.read(source, TrimHorizon(), START_MS) == ([1, 2, 3], 0)
        assert source.open(SHARD, lambda: None).ready_ms(After(1), START_MS) == START_MS

    def test_a_record_never_overtakes_the_one_in_front_of_it(self, write):
        source = self.source(write, 9_000, 1_000)

        assert self.read(source, TrimHorizon(), START_MS + 1_000) == ([], 0)
        assert source.open(SHARD, lambda: None).ready_ms(TrimHorizon(), 0) == START_MS + 9_000
        assert self.read(source, TrimHorizon(), START_MS + 9_000) == ([1, 2], 0)

    def test_a_read_says_how_far_behind_it_is(self, write):
        source = self.source(write, 0, 1_000, 1_500, 60_000)
        now_ms = START_MS + 3_000

        assert self.read(source, TrimHorizon(), now_ms, limit=1) == ([1], 2_000)
        assert self.read(source, TrimHorizon(), now_ms, limit=3) == ([1, 2, 3], 0)
        assert self.read(source, TrimHorizon(), START_MS + 1_000, limit=1) == ([1], 1)

    def test_a_read_takes_ten_mebibytes_or_one_record(self, write):
        records = [event_record(n, data=bytes(6 * 1024**2)) for n in (1, 2)]
        source = CaptureSource(read_captures([write({"Records": records})]), at_once=True)

        assert self.read(source, TrimHorizon(), START_MS)[0] == [1]
        assert self.read(source, After(1), START_MS)[0] == [2]

    def test_it_can_be_read_from_an_instant_on(self, write):
        source = self.source(write, 0, 1_000, 5_000)

        assert self.read(source, AtTimestamp(START_MS + 1_000), START_MS + 9_000)[0] == [2, 3]
        assert self.read(source, AtTimestamp(START_MS + 9_000), START_MS + 9_000)[0] == []

    def test_latest_is_pinned_behind_what_has_arrived(self, write):
        source = self.source(write, 1_000, 5_000)

        assert source.pin_latest(SHARD, START_MS) == After(-1)
        assert source.pin_latest(SHARD, START_MS + 1_000) == After(1)
        with pytest.raises(AssertionError, match="LATEST is pinned"):
            self.read(source, Latest(), START_MS)

    def test_it_counts_what_a_later_start_passes_over(self, write):
        source = self.source(write, 0, 1_000, 5_000)

        assert source.record_count == 3
        assert source.count_after(SHARD, source.beginning(SHARD)) == 3
        assert source.count_after(SHARD, source.pin(SHARD, TrimHorizon(), START_MS)) == 3
        assert source.count_after(SHARD, After(2)) == 1

    def test_it_is_a_stream_that_keeps_everything(self, write):
        source = self.source(write, 1_000)

        assert source.retention_ms is None
        assert source.list_shards(START_MS) == [Shard(SHARD)]
        assert repr(source) == f"<CaptureSource {ARN}: 1 records>"


class TestGarbage:
    def refused(self, *paths, **options):
        with pytest.raises(InputError) as error:
            read_captures(list(paths), **options)
        return error.value

    @pytest.mark.parametrize(
        ("content", "code", "line", "column", "message", "shown"),
        [
            pytest.param(
                '{"Records": [\n  {"kinesis": oops}\n]}', "E422", 2, 15,
                "not JSON: invalid character", '  {"kinesis": oops}',
                id="a word that is no JSON"),
            pytest.param(
                '{"Records": [\n  {"kinesis": {', "E422", 2, 16,
                "not JSON: it ends in the middle", '  {"kinesis": {',
                id="a truncated document"),
            pytest.param(
                '{"Records": [\n{"kinesis": {"partitionKey": "k', "E422", 2, 32,
                "not JSON: it ends in the middle", '{"kinesis": {"partitionKey": "k',
                id="a truncated string"),
            pytest.param(
                '{"Records": NaN}', "E422", 1, 13,
                "not JSON: invalid character", '{"Records": NaN}', id="NaN"),
            pytest.param(
                b'{"Data": "\xc3\xa9\xff"}', "E422", 1, 12,
                "not JSON: this is not UTF-8", '{"Data": "é\ufffd"}', id="Latin-1"),
            pytest.param(
                '{"Récords": 1} x', "E422", 1, 16,
                "not JSON: trailing characters", '{"Récords": 1} x', id="something behind it"),
            pytest.param(
                '{"a":' * 100_000, "E422", 1, 1, "not JSON: nested too deeply", '{"a":' * 100_000,
                id="nested too deeply"),
            pytest.param(
                "id,data\n1,a\n", "E422", 1, 1, "not JSON: invalid character", "id,data", id="CSV"),
            pytest.param(
                "[1, 2]", "E424", 1, 1, "a capture must be an object, not a list", "[1, 2]",
                id="a list"),
            pytest.param(
                '{"Records": 5}', "E424", 1, 13, "Records must be a list, not a number",
                '{"Records": 5}',
                id="records that are no list"),
            pytest.param(
                '{"ok": 1}', "E423", 1, 1, "this is no capture of a stream", '{"ok": 1}',
                id="an object that means nothing"),
        ],
    )  # fmt: skip
    def test_it_is_shown_in_its_place(self, write, content, code, line, column, message, shown):
        path = write(content)
        error = self.refused(path)

        assert error.esm_code == code
        assert error.message == message
        assert (error.place.file, error.place.line, error.place.column) == (str(path), line, column)
        assert error.place.text == shown

    @pytest.mark.parametrize("line", [2, 3])
    def test_a_bad_line_among_good_ones_is_named(self, write, line):
        good = json.dumps(event(1))
        content = [good] * 3
        content[line - 1] = '{"Records": }'
        error = self.refused(write("\n".join(content), "events.jsonl"))

        assert error.esm_code == "E422"
        assert (error.place.line, error.place.column) == (line, 13)

    def test_a_bad_first_line_of_lines_is_named(self, write):
        error = self.refused(write("{\n" + lines(event(1)), "events.jsonl"))

        assert (error.message, error.place.line) == ("not JSON: it ends in the middle", 1)

    @pytest.mark.parametrize(
        ("path", "value", "message"),
        [
            ("kinesis.data", "not base64!", "the data is not base64: "),
            ("kinesis.data", "aGk", "the data is not base64: "),
            ("kinesis.data", 5, "data must be text, not a number"),
            ("kinesis.sequenceNumber", 5, "sequenceNumber must be text, not a number"),
            ("kinesis.sequenceNumber", 10**56, "sequenceNumber must be text, not a number"),
            ("kinesis.partitionKey", None, "partitionKey must be text, not null"),
            (
                "kinesis.approximateArrivalTimestamp",
                "soon",
                "approximateArrivalTimestamp must be a number, not text",
            ),
            ("kinesis.approximateArrivalTimestamp", -1, "no instant"),
            ("kinesis.approximateArrivalTimestamp", START_MS, "no instant"),
            ("eventID", "1", "eventID must be"),
            ("eventID", f"{SHARD}:9", "eventID must be"),
            ("eventSource", "aws:sqs", "eventSource must be aws:kinesis, not 'aws:sqs'"),
        ],
    )
    def test_a_wrong_value_is_shown_in_its_place(self, write, path, value, message):
        good, bad = event_record(1), event_record(2)
        *way, last = path.split(".")
        target = bad["kinesis"] if way else bad
        target[last] = value
        text = json.dumps({"Records": [good, bad]}, indent=1)
        error = self.refused(write(text))

        assert error.esm_code == "E424"
        assert error.message.startswith(message)
        nth = [n for n, line in enumerate(text.splitlines(), 1) if f'"{last}":' in line]
        assert error.place.line == nth[1]
        assert error.place.text[error.place.column - 1 :].rstrip(",") == json.dumps(value)

    @pytest.mark.parametrize(
        "field",
        ["partitionKey", "sequenceNumber", "data", "approximateArrivalTimestamp"],
    )
    def test_a_missing_field_is_named_where_it_should_be(self, write, field):
        bad = event_record(2)
        del bad["kinesis"][field]
        text = json.dumps({"Records": [event_record(1), bad]})
        error = self.refused(write(text))

        assert error.esm_code == "E424"
        assert error.message == f'"{field}" is missing'
        assert text[error.place.column - 1 :].startswith('{"kinesisSchemaVersion"')
        _, excerpt, caret, _ = str(error).splitlines()
        assert excerpt[caret.index("^") :].startswith('{"kinesisSchemaVersion"')

    @pytest.mark.parametrize("number", ["007", "", "1e5", "-1", "٣"])
    def test_a_sequence_number_is_plain_digits(self, write, number):
        error = self.refused(write(output_record(number, 1.0)))

        assert error.message == "a sequence number is decimal digits without leading zeros"

    @pytest.mark.parametrize("arrived", ["yesterday", "", 10**15])
    def test_an_arrival_time_is_an_instant(self, write, arrived):
        assert self.refused(write(output_record(1, arrived))).message.startswith("no instant")

    @pytest.mark.parametrize(
        ("document", "name"),
        [
            ({"Records": [{"eventSource": "aws:sqs", "body": "{}"}]}, "an SQS event"),
            ({"Records": [{"EventSource": "aws:sns", "Sns": {}}]}, "an SNS event"),
            ({"Records": [{"eventSource": "aws:s3", "s3": {}}]}, "an S3 event"),
            ({"httpMethod": "GET", "path": "/"}, "an API Gateway event"),
            ({"version": "2.0", "requestContext": {}}, "an API Gateway event"),
            ({"detail-type": "Scheduled Event"}, "an EventBridge event"),
            ({"awslogs": {"data": ""}}, "a CloudWatch Logs event"),
            ({"deliveryStreamArn": "arn", "records": []}, "a Firehose event"),
        ],
    )
    def test_an_event_of_another_source_is_named(self, write, document, name):
        error = self.refused(write(document))

        assert error.esm_code == "E423"
        assert error.message == f"{name} is no capture of a stream"
        assert error.why.startswith("expected a Lambda event")

    @pytest.mark.parametrize(
        ("document", "source"),
        [
            ({"eventSource": "aws:kafka", "records": {}}, "Kafka"),
            ({"eventSource": "SelfManagedKafka", "records": {}}, "Kafka"),
            ({"KafkaBatchInfo": {}, "payload": "{}"}, "Kafka"),
        ],
    )
    def test_a_source_of_a_later_version_is_not_emulated(self, write, document, source):
        with pytest.raises(NotEmulated) as error:
            read_captures([write(document)])

        assert error.value.esm_code == "E290"
        assert error.value.message == (
            f"this is a capture of {source}: only Kinesis and DynamoDB can be replayed yet"
        )

    def test_an_invocation_record_of_a_queue_holds_no_records(self, write):
        document = on_failure("")
        del document["payload"]
        error = self.refused(write(document))

        assert error.message == "this invocation record has no payload, and so no records"
        assert "SQS and SNS" in error.why

    @pytest.mark.parametrize(
        ("payload", "message"),
        [
            ("{", "its payload is not JSON: Input data was truncated"),
            ("{}", "in its payload, at its start: this is no capture of a stream"),
            (
                json.dumps({"Records": [event_record(1, eventID="x")]}),
                "in its payload, at Records[0].eventID: eventID must be the shard's id, a colon"
                " and the sequence number",
            ),
        ],
    )
    def test_a_bad_payload_is_shown_in_its_place(self, write, payload, message):
        text = json.dumps(on_failure(payload), indent=1)
        error = self.refused(write(text))

        assert error.message == message
        assert error.place.line == text.splitlines().index(f' "payload": {json.dumps(payload)}') + 1

    @pytest.mark.parametrize("content", [b"", b" \n\n "])
    @pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a.json.gz"])
    def test_an_empty_file_is_an_error(self, write, content, name):
        error = self.refused(write(content, name))
        assert (error.esm_code, error.message) == ("E422", "the file is empty")

    def test_utf_16_is_named(self, write):
        error = self.refused(write(json.dumps(event(1)).encode("utf-16")))
        assert error.message == "not JSON: this is UTF-16"
        assert error.fix == f"iconv -f UTF-16 -t UTF-8 {error.place.file} > utf-8.json"

    @pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32", "utf-32-le"])
    def test_an_encoding_without_its_mark_is_named(self, write, encoding):
        error = self.refused(write(json.dumps(event(1)).encode(encoding), "a b.json"))
        assert error.message == f"not JSON: this is {encoding[:6].upper()}"
        assert "/a b.json' > utf-8.json" in error.fix

    def test_a_binary_file_is_not_shown(self, write):
        error = self.refused(write(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256))))
        assert str(error).endswith("capture.json:1  E422  not JSON: this is binary")

    def test_a_line_that_a_terminal_would_obey_is_not_shown(self, write):
        error = self.refused(write('{"Records": \x1b[2J}'))
        assert (error.place.column, error.place.text) == (13, None)

    def test_the_column_of_a_long_line_is_shown_beneath_it(self, write):
        text = json.dumps({"Records": [event_record(n) for n in range(50)]})
        error = self.refused(write(text.replace('"hi', "", 1)[:9_000] + "oops"))
        _, excerpt, caret, _ = str(error).splitlines()
        assert excerpt.endswith("oops")
        assert caret.index("^") == len(excerpt)

    def test_records_without_what_is_around_them_are_told_how_to_be_lines(self, write):
        error = self.refused(write(event(1)["Records"]))
        assert error.message == "a capture must be an object, not a list"
        assert error.fix == "jq -c '.[]' makes a line of each record: JSONL"

    def test_a_truncated_gzip_is_named(self, write):
        path = write(lines(*(event_record(n) for n in range(500))), "a.jsonl.gz")
        path.write_bytes(path.read_bytes()[:-40])

        error = self.refused(path)

        assert error.esm_code == "E421"
        assert error.message.startswith("broken gzip: ")
        assert str(error.place) == str(path)

    def test_a_damaged_gzip_is_named(self, write):
        path = write(json.dumps(event(1)), "a.json.gz")
        damaged = bytearray(path.read_bytes())
        damaged[-8] ^= 0xFF
        path.write_bytes(damaged)

        assert self.refused(path).message.startswith("broken gzip: CRC check failed")

    def test_a_gzip_bomb_stops_at_the_limit_without_filling_memory(self, write):
        path = write(bytes(64 * 1024**2), "bomb.json.gz")
        tracemalloc.start()
        error = self.refused(path, max_bytes=16 * 1024**2)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

        assert (error.esm_code, error.message) == ("E425", "more than 16 MiB of JSON")
        assert peak < 8 * 1024**2

    def test_the_limit_is_for_all_files_together(self, write, tmp_path):
        size = write(event(1), "a.json").stat().st_size
        write(event(2), "b.json")

        assert len(read_captures([tmp_path], max_bytes=2 * size).shards[SHARD]) == 2
        assert self.refused(tmp_path, max_bytes=2 * size - 1).place.file.endswith("b.json")

    def test_bytes_without_a_path_have_the_same_limits_and_places(self):
        def of(content, **options):
            file = CaptureFile("-", Path("-"), content)
            return read_captures([file, file], **options)

        text = json.dumps(event(1, 2)).encode()
        for content in (text, gzip.compress(text)):
            assert sequence_numbers(of(content)) == ["1", "2"]
            with pytest.raises(InputError, match="more than") as error:
                of(content, max_bytes=len(text) - 1)
            assert str(error.value.place) == "-"
        with pytest.raises(InputError, match="no records in -"):
            of(b'{"Records": []}')
        with pytest.raises(InputError) as error:
            of(b"{\n")
        assert str(error.value.place) == "-:1:2"

    def test_a_path_that_is_not_there_is_named(self, tmp_path):
        missing = tmp_path / "missing.json"
        assert self.refused(missing).message == f"no such file: {missing}"

    def test_a_pipe_is_no_file(self, tmp_path):
        os.mkfifo(tmp_path / "pipe")
        error = self.refused(tmp_path / "pipe")
        assert error.message == f"not a file: {tmp_path / 'pipe'}"

    def test_what_the_system_refuses_is_said_in_its_words(self):
        error = self.refused("x" * 5_000)
        assert (error.esm_code, error.message) == ("E421", "cannot be read: File name too long")

    def test_an_empty_record_among_good_ones_is_named(self, write):
        bad = {"Records": [event_record(1), event_record(2), {}]}
        error = self.refused(write(json.dumps(bad)))
        assert error.message == '"kinesis" is missing'

    def test_a_glob_that_matches_nothing_is_named(self, tmp_path):
        assert self.refused(f"{tmp_path}/*.json").message == f"nothing matches {tmp_path}/*.json"

    def test_a_folder_that_cannot_be_read_is_no_empty_one(self, write, tmp_path, monkeypatch):
        folder = write(event(1), "locked/a.json").parent
        write(event(2), "b.json")

        def scandir(path):
            if str(path) == str(folder):
                raise PermissionError(13, "Permission denied", str(path))
            return os_scandir(path)

        os_scandir = os.scandir
        monkeypatch.setattr(os, "scandir", scandir)
        error = self.refused(tmp_path)
        assert (error.esm_code, error.message) == ("E421", "cannot be read: Permission denied")
        assert error.place.file == str(folder)

    def test_a_folder_without_captures_is_named(self, write):
        folder = write("# About", "README.md").parent
        assert self.refused(folder).message == f"no captures in {folder}"

    def test_no_records_at_all_is_an_error(self, write):
        path = write({"Records": []})
        assert self.refused(path).message == f"no records in {path}"

    def test_records_of_two_streams_are_no_replay(self, write, tmp_path):
        write(event(1), "a.json")
        path = write(event(2, eventSourceARN=ARN + "-2"), "b.json")
        error = self.refused(tmp_path)

        assert error.esm_code == "E426"
        assert error.message == f"a record of {ARN}-2 among those of {ARN}"
        assert error.place.file == str(path)

    def test_two_records_under_one_sequence_number_are_no_stream(self, write):
        records = [event_record(7), event_record(7, data=b"else")]
        error = self.refused(write({"Records": records}))

        assert error.esm_code == "E427"
        assert error.message == f"two different records of {SHARD} have the sequence number 7"

    def test_garbage_in_one_file_gives_nothing_of_the_others(self, write, tmp_path):
        write(event(1), "a.json")
        bad = write("garbage", "b.json")
        write(event(2), "c.json")

        assert self.refused(tmp_path).place.file == str(bad)


WHOLE = json.dumps({"Records": [event_record(1), event_record(2)]}).encode()
OBJECT = json.dumps(on_failure(WHOLE.decode())).encode()
OUTPUT = json.dumps({"Records": [output_record(1, "2026-01-01T00:00:00Z")]}).encode()


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    document=st.sampled_from([WHOLE, OBJECT, OUTPUT, gzip.compress(WHOLE)]),
    start=st.integers(0, 2_000),
    length=st.integers(0, 40),
    other=st.binary(max_size=6) | st.sampled_from([b"null", b"[]", b"9" * 5_000, b"[" * 3_000]),
)
def test_a_spoilt_capture_is_read_or_refused(tmp_path, document, start, length, other):
    path = tmp_path / "spoilt.json"
    path.write_bytes(document[:start] + other + document[start + length :])

    answer = read_or_refusal(path)

    if isinstance(answer, InputError):
        assert answer.place is not None or answer.esm_code == "E428"
        assert str(path) in str(answer)
    else:
        assert sum(len(records) for records in answer.shards.values()) in {1, 2}


def read_or_refusal(path):
    try:
        return read_captures([path])
    except InputError as refused:
        return refused


@pytest.mark.parametrize("form", ["one event", "lines"])
def test_a_hundred_thousand_records_are_read_in_seconds(write, form):
    one = json.dumps(event_record(0))
    texts = [
        one.replace('"sequenceNumber": "0"', f'"sequenceNumber": "{n}"').replace(
            f"{SHARD}:0", f"{SHARD}:{n}"
        )
        for n in range(100_000)
    ]
    joined = "\n".join(texts) if form == "lines" else f'{{"Records":[{",".join(texts)}]}}'
    path = write(joined, "r.jsonl" if form == "lines" else "r.json")

    before = time.process_time()
    capture = read_captures([path])
    took = time.process_time() - before

    assert len(capture.shards[SHARD]) == 100_000
    assert took < 4
    assert isinstance(capture, Capture)
