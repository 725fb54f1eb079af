"""What AWS refuses, word for word and in its order, and what it takes and we do not do."""

from datetime import datetime

import pytest

from esm.errors import MappingError, NotEmulated
from esm.mapping import PROPERTIES, Group, create
from esm.mapping.sources import Source

NOW_MS = 1_767_225_600_000
STREAM = "arn:aws:kinesis:us-east-1:123456789012:stream/orders"
CONSUMER = STREAM + "/consumer/fast:1700000000"
TABLE = "arn:aws:dynamodb:us-east-1:123456789012:table/T/stream/2024-06-10T19:26:16.525"
QUEUE = "arn:aws:sqs:us-east-1:123456789012:orders-dlq"
LEAST = {"EventSourceArn": STREAM, "FunctionName": "orders", "StartingPosition": "TRIM_HORIZON"}
INVALID = "InvalidParameterValueException"
FRAMEWORK = "ValidationException"
ARN_PATTERN = (
    r"arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9\-])+:"
    r"((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1})?:(\d{12})?:(.*)"
)
NO_LIST_VALUE = "failed to satisfy constraint: Member must satisfy constraint: "


def mapping(**properties):
    return create({**LEAST, **properties}, now_ms=NOW_MS)


def refusal(**properties):
    with pytest.raises(MappingError) as caught:
        mapping(**properties)
    return caught.value


def violated(member, value, constraint):
    return (
        f"1 validation error detected: Value {value} at '{member}' failed to satisfy constraint: "
        f"{constraint}"
    )


def unsupported(member):
    return f"Unsupported '{member}' parameter for given event source mapping type."


def on_failure(arn):
    return {"OnFailure": {"Destination": arn}}


@pytest.mark.parametrize(
    ("name", "lowest", "highest"),
    [
        ("BatchSize", 1, 10_000),
        ("MaximumBatchingWindowInSeconds", 0, 300),
        ("ParallelizationFactor", 1, 10),
        ("MaximumRetryAttempts", -1, 10_000),
        ("MaximumRecordAgeInSeconds", -1, 604_800),
    ],
)
def test_a_range_includes_its_ends_and_nothing_beyond(name, lowest, highest):
    assert mapping(**{name: lowest})
    assert mapping(**{name: highest})
    member = name[0].lower() + name[1:]
    assert refusal(**{name: lowest - 1}).message == violated(
        member, f"'{lowest - 1}'", f"Member must have value greater than or equal to {lowest}"
    )
    above = refusal(**{name: highest + 1})
    assert (above.code, above.esm_code) == (FRAMEWORK, "E204")
    assert above.message == violated(
        member, f"'{highest + 1}'", f"Member must have value less than or equal to {highest}"
    )


REFUSED = [
    pytest.param(
        {"FunctionName": None}, FRAMEWORK, "E203",
        violated("functionName", "null", "Member must not be null"),
        id="function-name-missing",
    ),
    pytest.param(
        {"FunctionName": ""}, FRAMEWORK, "E206",
        violated("functionName", "''", "Member must have length greater than or equal to 1"),
        id="function-name-empty",
    ),
    pytest.param(
        {"FunctionName": "o" * 65}, FRAMEWORK, "E206",
        violated(
            "functionName", f"'{'o' * 65}'", "Member must have length less than or equal to 64"
        ),
        id="function-name-alone-too-long",
    ),
    pytest.param(
        {"EventSourceArn": None}, INVALID, "E210", "Unrecognized event source.",
        id="source-missing",
    ),
    pytest.param(
        {"EventSourceArn": "arn:aws:events:us-east-1:123456789012:event-bus/default"},
        INVALID, "E210", "Unrecognized event source.",
        id="source-of-another-service",
    ),
    pytest.param(
        {"EventSourceArn": "arn:aws:kinesis:us-east-1:123456789012:queue/orders"},
        INVALID, "E210", "Unrecognized event source.",
        id="source-is-no-stream",
    ),
    pytest.param(
        {"EventSourceArn": "orders"}, FRAMEWORK, "E207",
        violated(
            "eventSourceArn", "'orders'",
            f"Member must satisfy regular expression pattern: {ARN_PATTERN}",
        ),
        id="source-is-no-arn",
    ),
    pytest.param(
        {"StartingPosition": None}, INVALID, "E211",
        "1 validation error detected: Value null at 'startingPosition' failed to satisfy "
        "constraint: Member must not be null.",
        id="starting-position-missing",
    ),
    pytest.param(
        {"StartingPosition": "invalid"}, FRAMEWORK, "E205",
        "1 validation error detected: Value 'invalid' at 'startingPosition' failed to satisfy "
        "constraint: Member must satisfy enum value set: [LATEST, AT_TIMESTAMP, TRIM_HORIZON]",
        id="starting-position-unknown",
    ),
    pytest.param(
        {"BatchSize": 0, "ParallelizationFactor": 11}, FRAMEWORK, "E204",
        "2 validation errors detected: Value '0' at 'batchSize' failed to satisfy constraint: "
        "Member must have value greater than or equal to 1; Value '11' at "
        "'parallelizationFactor' failed to satisfy constraint: Member must have value less than "
        "or equal to 10",
        id="two-violations-at-once",
    ),
    pytest.param(
        {"TumblingWindowInSeconds": 2000}, FRAMEWORK, "E204",
        violated(
            "tumblingWindowInSeconds", "'2000'", "Member must have value less than or equal to 900"
        ),
        id="tumbling-window-too-long",
    ),
    pytest.param(
        {"FunctionResponseTypes": ["Report", "All"]}, FRAMEWORK, "E205",
        f"1 validation error detected: Value '[Report, All]' at 'functionResponseTypes' "
        f"{NO_LIST_VALUE}[Member must satisfy enum value set: [ReportBatchItemFailures], "
        "Member must not be null]",
        id="response-type-unknown",
    ),
    pytest.param(
        {"FunctionResponseTypes": ["ReportBatchItemFailures"] * 2}, FRAMEWORK, "E206",
        violated(
            "functionResponseTypes", "'[ReportBatchItemFailures, ReportBatchItemFailures]'",
            "Member must have length less than or equal to 1",
        ),
        id="response-type-twice",
    ),
    pytest.param(
        {"DestinationConfig": on_failure("arn:" + "x" * 350)}, FRAMEWORK, "E206",
        violated(
            "destinationConfig.onFailure.destination", f"'arn:{'x' * 350}'",
            "Member must have length less than or equal to 350",
        ),
        id="destination-too-long",
    ),
    pytest.param(
        {"FilterCriteria": {"Filters": [{"Pattern": "x" * 4097}]}}, FRAMEWORK, "E206",
        violated(
            "filterCriteria.filters.1.member.pattern", f"'{'x' * 4097}'",
            "Member must have length less than or equal to 4096",
        ),
        id="pattern-too-long",
    ),
    pytest.param(
        {"Tags": {"": "x"}}, FRAMEWORK, "E206",
        violated(
            "tags", "'{=x}'",
            "Map keys must satisfy constraint: [Member must have length less than or equal to 128,"
            " Member must have length greater than or equal to 1]",
        ),
        id="tag-without-key",
    ),
    pytest.param(
        {"Tags": {"k": "x" * 257}}, FRAMEWORK, "E206",
        violated(
            "tags", f"'{{k={'x' * 257}}}'",
            "Map value must satisfy constraint: "
            "[Member must have length less than or equal to 256]",
        ),
        id="tag-value-too-long",
    ),
    pytest.param(
        {"MetricsConfig": {"Metrics": ["Everything"]}}, FRAMEWORK, "E205",
        f"1 validation error detected: Value '[Everything]' at 'metricsConfig.metrics' "
        f"{NO_LIST_VALUE}[Member must satisfy enum value set: [EventCount, ErrorCount, "
        "KafkaMetrics], Member must not be null]",
        id="metrics-unknown",
    ),
    pytest.param(
        {"EventSourceArn": TABLE, "StartingPosition": "AT_TIMESTAMP"}, INVALID, "E212",
        f"Unsupported starting position for arn type: {TABLE}",
        id="table-from-a-timestamp",
    ),
    pytest.param(
        {"StartingPosition": "AT_TIMESTAMP"}, INVALID, "E213",
        "StartingPosition AT_TIMESTAMP without StartingPositionTimestamp",
        id="timestamp-missing",
    ),
    pytest.param(
        {"StartingPositionTimestamp": 5}, INVALID, "E214",
        "StartingPositionTimestamp with StartingPosition TRIM_HORIZON",
        id="timestamp-stray",
    ),
    pytest.param(
        {"StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": NOW_MS / 1000 + 0.001},
        INVALID, "E215", "StartingPositionTimestamp 1767225600.001 is in the future",
        id="timestamp-in-the-future",
    ),
    *(
        pytest.param(
            {row.name: row.about.example or {}}, INVALID, "E220",
            unsupported(row.name[0].lower() + row.name[1:]),
            id=f"of-another-source-{row.name}",
        )
        for row in PROPERTIES
        if row.about.group is Group.OTHER_SOURCE
    ),
    pytest.param(
        {"DestinationConfig": {"OnSuccess": {"Destination": QUEUE}}}, INVALID, "E221",
        "Unsupported DestinationConfig parameter for given event source mapping type.",
        id="on-success",
    ),
    *(
        pytest.param(
            {"MaximumRecordAgeInSeconds": age}, INVALID, "E222",
            "MaximumRecordAgeInSeconds must be either -1 (forever) or between 60 and 604800 "
            "(inclusive)",
            id=f"record-age-{age}",
        )
        for age in (0, 59)
    ),
    *(
        pytest.param(
            {"FilterCriteria": {"Filters": [{"Pattern": pattern}]}}, INVALID, "E250",
            "Invalid filter pattern definition.",
            id=f"pattern-{name}",
        )
        for name, pattern in {
            "bare-word": "single-string",
            "broken-json": '[{"eventName": ["INSERT"=1}]',
            "null": "null",
            "empty": "",
            "empty-object": "{}",
            "empty-inner-object": '{"data": {}}',
            "too-deep": '{"a":' * 800,
            "data-as-text": '{"data": ["order"]}',
        }.items()
    ),
    *(
        pytest.param(
            {"FilterCriteria": {"Filters": [{"Pattern": pattern}]}}, INVALID, esm_code,
            "Invalid filter pattern definition.",
            id=f"pattern-{name}",
        )
        for name, esm_code, pattern in (
            ("scalar-leaf", "E251", '{"eventSource": "aws:kinesis"}'),
            ("empty-list", "E251", '{"data": {"total": []}}'),
            ("list-of-lists", "E251", '{"data": {"total": [[1]]}}'),
            ("unknown-operator", "E253", '{"data": {"total": [{"wildcard": "x"}]}}'),
            ("operator-without-value", "E253", '{"data": {"total": [{"numeric": [">"]}]}}'),
        )
    ),
    pytest.param(
        {"FilterCriteria": {"Filters": [{"Pattern": '{"data": {"a": [1]}}'}] * 6}}, INVALID, "E252",
        "FilterCriteria has 6 filters",
        id="six-filters",
    ),
    pytest.param(
        {"MetricsConfig": {"Metrics": ["EventCount", "KafkaMetrics"]}}, INVALID, "E226",
        "MetricsConfig: KafkaMetrics is not for streams",
        id="metrics-of-kafka",
    ),
    pytest.param(
        {"ParallelizationFactor": 2, "TumblingWindowInSeconds": 30}, INVALID, "E223",
        "ParallelizationFactor 2 with TumblingWindowInSeconds 30",
        id="lanes-and-tumbling-window",
    ),
    pytest.param(
        {"DestinationConfig": on_failure(QUEUE + ".fifo")}, INVALID, "E224",
        f"on-failure destination {QUEUE}.fifo is FIFO",
        id="fifo-destination",
    ),
    pytest.param(
        {"DestinationConfig": on_failure("kafka://failures")}, INVALID, "E225",
        "on-failure destination kafka://failures",
        id="kafka-destination",
    ),
    pytest.param(
        {"DestinationConfig": on_failure("arn:aws:lambda:us-east-1:123456789012:function:f")},
        INVALID, "E225",
        "on-failure destination arn:aws:lambda:us-east-1:123456789012:function:f",
        id="function-as-destination",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("properties", "code", "esm_code", "message"), REFUSED)
def test_aws_refuses(properties, code, esm_code, message):
    error = refusal(**properties)
    assert not isinstance(error, NotEmulated)
    assert error.message == message
    assert (error.code, error.esm_code) == (code, esm_code)
    assert error.why.startswith("AWS refuses it")
    assert error.fix


ORDER = [
    ({"FunctionName": "", "EventSourceArn": None}, "E206"),
    ({"EventSourceArn": None, "StartingPosition": "invalid"}, "E210"),
    ({"StartingPosition": None, "BatchSize": 0}, "E211"),
    ({"BatchSize": 0, "Topics": ["orders"]}, "E204"),
    ({"StartingPosition": "AT_TIMESTAMP", "Topics": ["orders"]}, "E213"),
    ({"Topics": ["orders"], "DestinationConfig": {"OnSuccess": {}}}, "E220"),
    ({"DestinationConfig": {"OnSuccess": {}}, "MaximumRecordAgeInSeconds": 5}, "E221"),
    ({"MaximumRecordAgeInSeconds": 5, "FilterCriteria": {"Filters": [{}]}}, "E222"),
    (
        {"FilterCriteria": {"Filters": [{}]}, "ParallelizationFactor": 2,
         "TumblingWindowInSeconds": 1},
        "E250",
    ),
    (
        {"ParallelizationFactor": 2, "TumblingWindowInSeconds": 1,
         "DestinationConfig": on_failure(QUEUE + ".fifo")},
        "E223",
    ),
    ({"TumblingWindowInSeconds": 1, "DestinationConfig": on_failure(QUEUE + ".fifo")}, "E224"),
    ({"EventSourceArn": CONSUMER, "MaximumRecordAgeInSeconds": 5}, "E222"),
    ({"EventSourceArn": TABLE, "StartingPosition": None}, "E211"),
    ({"EventSourceArn": TABLE, "MaximumRecordAgeInSeconds": 5}, "E222"),
    ({"BatchSize": "5", "FunctionName": None}, "E201"),
]  # fmt: skip


@pytest.mark.parametrize(("properties", "first"), ORDER)
def test_of_two_mistakes_awss_first_is_told(properties, first):
    assert refusal(**properties).esm_code == first


@pytest.mark.parametrize(
    ("properties", "message", "fix"),
    [
        ({"BatchSize": "5"}, "BatchSize must be an integer, not '5'", "BatchSize: 5"),
        ({"BatchSize": "many"}, "BatchSize must be an integer, not 'many'", "BatchSize: 100"),
        ({"BatchSize": True}, "BatchSize must be an integer, not True", "BatchSize: 100"),
        ({"BatchSize": 5.0}, "BatchSize must be an integer, not 5.0", "BatchSize: 100"),
        ({"Enabled": 1}, "Enabled must be true or false, not 1", "Enabled: true"),
        ({"Enabled": "False"}, "Enabled must be true or false, not 'False'", "Enabled: false"),
        ({"FunctionName": 7}, "FunctionName must be text, not 7", 'FunctionName: "orders-handler"'),
        (
            {"StartingPosition": 1},
            "StartingPosition must be text, not 1",
            'StartingPosition: "TRIM_HORIZON"',
        ),
        (
            {"FunctionResponseTypes": "ReportBatchItemFailures"},
            "FunctionResponseTypes must be a list, not 'ReportBatchItemFailures'",
            'FunctionResponseTypes: ["ReportBatchItemFailures"]',
        ),
        (
            {"FilterCriteria": {"Filters": [{"Pattern": {"a": [1]}}]}},
            "FilterCriteria.Filters[0].Pattern must be text, not {'a': [1]}",
            'FilterCriteria: {"Filters": [{"Pattern": "{\\"data\\": {\\"id\\": [1]}}"}]}',
        ),
        (
            {"DestinationConfig": QUEUE[:3]},
            "DestinationConfig must be an object, not 'arn'",
            f'DestinationConfig: {{"OnFailure": {{"Destination": "{QUEUE}"}}}}',
        ),
        (
            {"Tags": [{"Key": "a", "Value": "b"}]},
            "Tags must be a map of text to text, not [{'Key': 'a', 'Value': 'b'}]",
            'Tags: {"team": "orders"}',
        ),
        (
            {"FunctionName": "\ud800"},
            "FunctionName must be text in UTF-8, not '\\ud800'",
            'FunctionName: "orders-handler"',
        ),
    ],
)
def test_a_value_of_the_wrong_type_is_never_converted(properties, message, fix):
    error = refusal(**properties)
    assert (error.message, error.fix) == (message, fix)
    assert (error.code, error.esm_code) == ("SerializationException", "E201")


@pytest.mark.parametrize(
    "timestamp",
    [True, "2026-01-01", float("nan"), float("inf"), -1e300, datetime(2025, 1, 1)],
    ids=["flag", "text", "nan", "infinity", "before-all-dates", "no-time-zone"],
)
def test_a_timestamp_is_a_number_or_has_a_time_zone(timestamp):
    error = refusal(StartingPosition="AT_TIMESTAMP", StartingPositionTimestamp=timestamp)
    assert error.esm_code == "E201"
    assert error.message.startswith(
        "StartingPositionTimestamp must be epoch seconds or a datetime with a time zone, not "
    )


def test_a_member_that_the_api_does_not_have_is_refused():
    error = refusal(DestinationConfig={"OnFailure": {"Destnation": QUEUE}})
    assert error.message == "DestinationConfig.OnFailure.Destnation: no such member"
    assert (error.code, error.esm_code) == (None, "E202")


def test_an_enormous_value_does_not_flood_the_terminal():
    error = refusal(BatchSize=list(range(100_000)))
    assert error.message == "BatchSize must be an integer, not [0, 1, 2, 3, 4, 5, ...]"


def test_why_a_pattern_is_invalid_is_told_beside_awss_text():
    error = refusal(FilterCriteria={"Filters": [{"Pattern": '{"data": {"total": 1}}'}]})
    assert str(error).split("\n") == [
        "E251  Invalid filter pattern definition.",
        'what   filter 1: "total" must be a list of values',
        "why    AWS refuses it: every leaf of a pattern is a list",
        'fix    FilterCriteria: {"Filters": [{"Pattern": "{\\"data\\": {\\"total\\": [1]}}"}]}',
    ]


def test_a_fix_is_in_the_users_spelling():
    with pytest.raises(MappingError) as caught:
        create(
            {"event_source_arn": STREAM, "function_name": "f", "starting_position": "latest"},
            now_ms=NOW_MS,
        )
    assert caught.value.fix == "starting_position='TRIM_HORIZON'"
    assert refusal(StartingPosition="latest").fix == 'StartingPosition: "TRIM_HORIZON"'
    assert refusal(Topics=["orders"]).fix == "remove Topics"


OF_KINESIS = [row for row in PROPERTIES if Source.KINESIS in row.about.sources]


@pytest.mark.parametrize("row", OF_KINESIS, ids=lambda row: row.name)
def test_what_a_fix_suggests_is_accepted(row):
    with_timestamp = row.name == "StartingPositionTimestamp"
    position = {"StartingPosition": "AT_TIMESTAMP"} if with_timestamp else {}
    assert mapping(**position, **{row.name: row.about.example})


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("max_retries", "maximum_retry_attempts"),
        ("batch_sise", "batch_size"),
        ("BatchSise", "BatchSize"),
        ("KmsKeyArn", "KMSKeyArn"),
        ("tag", "tags"),
    ],
)
def test_an_unknown_name_is_a_type_error_with_the_nearest(name, nearest):
    with pytest.raises(TypeError) as caught:
        mapping(**{name: 1})
    assert str(caught.value) == f"unknown property '{name}': did you mean '{nearest}'?"


def test_one_property_in_two_spellings_is_a_type_error():
    with pytest.raises(TypeError, match="BatchSize is given twice, as batch_size too"):
        mapping(BatchSize=1, batch_size=1)


# --- what only we do not do ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        (
            {
                "EventSourceArn": "arn:aws:kafka:us-east-1:123456789012:cluster/c/1-1",
                "Topics": ["orders"],
                "MetricsConfig": {"Metrics": ["KafkaMetrics"]},
                "ProvisionedPollerConfig": {"MinimumPollers": 1},
                "DestinationConfig": on_failure("kafka://failures"),
            },
            "MSK as an event source is not emulated yet",
        ),
        (
            {"EventSourceArn": QUEUE, "StartingPosition": None},
            "sqs as an event source is not emulated yet",
        ),
        (
            {
                "EventSourceArn": None,
                "StartingPosition": None,
                "SelfManagedEventSource": {
                    "Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["broker:9092"]}
                },
                "Topics": ["orders"],
                "SourceAccessConfigurations": [{"Type": "IAM_AUTH"}],
            },
            "SelfManagedKafka as an event source is not emulated yet",
        ),
    ],
)
def test_what_aws_takes_and_we_cannot_do_stops(properties, message):
    error = refusal(**properties)
    assert isinstance(error, NotEmulated)
    assert (error.esm_code, error.code, error.message) == ("E290", None, message)
    assert error.why == "not emulated: AWS accepts it"
    assert error.fix
