"""What AWS refuses in mappings of Kafka, although nothing here reads Kafka yet."""

from contextlib import suppress

import botocore.session
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esm.errors import MappingError, NotEmulated
from esm.mapping import PROPERTIES, create, every_fault, kafka
from esm.mapping.kafka_rules import timeout_error
from esm.mapping.registry_rules import (
    MALFORMED_URI,
    NO_FORMAT,
    NO_VALIDATION,
    NOT_PROVISIONED,
    OTHER_ACCOUNT,
    OTHER_REGION,
    TWICE,
)
from esm.mapping.sources import Source

NOW_MS = 1_767_225_600_000
CLUSTER = (
    "arn:aws:kafka:us-east-1:123456789012:cluster/orders/0f0f0f0f-1111-2222-3333-444455556666-1"
)
SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:brokers"
QUEUE = "arn:aws:sqs:us-east-1:123456789012:orders-dlq"
REGISTRY = "arn:aws:glue:us-east-1:123456789012:registry/orders"
PROVISIONED = {"ProvisionedPollerConfig": {"MinimumPollers": 1}}
OF_MSK = {
    "EventSourceArn": CLUSTER,
    "FunctionName": "orders",
    "StartingPosition": "TRIM_HORIZON",
    "Topics": ["orders"],
}
OF_BROKERS = {
    "SelfManagedEventSource": {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["broker:9092"]}},
    "FunctionName": "orders",
    "Topics": ["orders"],
    "SourceAccessConfigurations": [{"Type": "BASIC_AUTH", "URI": SECRET}],
}
INVALID, FRAMEWORK = "InvalidParameterValueException", "ValidationException"


def msk(**properties):
    return {**OF_MSK, **properties}


def brokers(**properties):
    return {**OF_BROKERS, **properties}


def access(*entries):
    return [{"Type": kind, "URI": uri} if uri else {"Type": kind} for kind, uri in entries]


def servers(*addresses):
    return {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": list(addresses)}}


def registry(**members):
    given = {
        "SchemaRegistryURI": "https://registry.example.com:8081",
        "EventRecordFormat": "JSON",
        "SchemaValidationConfigs": [{"Attribute": "VALUE"}],
        **members,
    }
    return {"SchemaRegistryConfig": {name: v for name, v in given.items() if v is not None}}


def msk_registry(**members):
    return msk(AmazonManagedKafkaEventSourceConfig=registry(**members), **PROVISIONED)


def on_failure(arn):
    return {"OnFailure": {"Destination": arn}}


def refusal(request):
    with pytest.raises(MappingError) as caught:
        create(request, now_ms=NOW_MS)
    return caught.value


def test_the_limits_are_those_of_awss_api():
    shapes = botocore.session.get_session().get_service_model("lambda")
    patterns = {
        "Topic": kafka.TOPIC,
        "Endpoint": kafka.ENDPOINT,
        "URI": kafka.ACCESS_URI,
        "SchemaRegistryUri": kafka.REGISTRY_URI,
        "ProvisionedPollerGroupName": kafka.POLLER_GROUP,
    }
    assert patterns == {name: shapes.shape_for(name).metadata["pattern"] for name in patterns}
    enums = {
        "SourceAccessType": kafka.AccessType,
        "EventSourceMappingSystemLogLevel": kafka.LogLevel,
        "SchemaRegistryEventRecordFormat": kafka.RecordFormat,
        "KafkaSchemaRegistryAuthType": kafka.RegistryAccessType,
        "KafkaSchemaValidationAttribute": kafka.ValidatedAttribute,
        "KafkaEventSourceMappingConsumptionMode": kafka.ConsumptionMode,
    }
    assert {name: list(enum) for name, enum in enums.items()} == {
        name: shapes.shape_for(name).metadata["enum"] for name in enums
    }


SOUND = {
    "msk": msk(),
    "msk-of-another-account": msk(
        EventSourceArn="arn:aws:kafka:us-east-1:123456789012:vpc-connection/210987654321/c/1-1"
    ),
    "brokers": brokers(),
    "ten-brokers": brokers(SelfManagedEventSource=servers(*[f"b{n}.lan:9092" for n in range(10)])),
    "position": brokers(StartingPosition="AT_TIMESTAMP", StartingPositionTimestamp=5),
    "provisioned": msk(
        MaximumRetryAttempts=5,
        MaximumRecordAgeInSeconds=60,
        BisectBatchOnFunctionError=True,
        FunctionResponseTypes=["ReportBatchItemFailures"],
        LoggingConfig={"SystemLogLevel": "WARN"},
        DestinationConfig=on_failure("kafka://failures"),
        ProvisionedPollerConfig={
            "MinimumPollers": 200,
            "MaximumPollers": 2000,
            "PollerGroupName": "a_b-C",
        },
    ),
    "metrics": msk(MetricsConfig={"Metrics": ["EventCount", "ErrorCount", "KafkaMetrics"]}),
    "scram": msk(SourceAccessConfigurations=access(("SASL_SCRAM_512_AUTH", SECRET))),
    "vpc": brokers(
        SourceAccessConfigurations=access(
            ("VPC_SUBNET", "subnet:subnet-0a1b"), ("VPC_SECURITY_GROUP", "security_group:sg-0a1b")
        )
    ),
    "oauth": brokers(
        SourceAccessConfigurations=access(
            ("OAUTHBEARER_AUTH", SECRET),
            ("OAUTHBEARER_SCOPE", "read write"),
            ("OAUTHBEARER_AUDIENCE", "kafka"),
        )
    ),
    "oauth-by-role": brokers(
        SourceAccessConfigurations=access(
            ("IAM_OAUTHBEARER_AUTH", None), ("OAUTHBEARER_AUDIENCE", "kafka")
        )
    ),
    "registry": msk_registry(),
    "glue": msk_registry(SchemaRegistryURI=REGISTRY),
    "no-registry": msk(AmazonManagedKafkaEventSourceConfig={"SchemaRegistryConfig": {}}),
    "group": brokers(SelfManagedKafkaEventSourceConfig={"ConsumerGroupId": "a/b:c=d@e"}),
}


@pytest.mark.parametrize("request_", SOUND.values(), ids=SOUND)
def test_what_aws_takes_is_not_emulated_and_nothing_else(request_):
    [fault] = every_fault(request_, now_ms=NOW_MS)
    assert isinstance(fault.error, NotEmulated)
    assert fault.error.fix == (
        "leave this mapping out of the run: `esm validate` checks it, and other mappings run"
    )


VIOLATIONS = {
    "no-topic": (msk(Topics=[]), "E206", "topics' failed", "Topics"),
    "two-topics": (msk(Topics=["aa", "bb"]), "E206", "less than or equal to 1", "Topics"),
    "topic-with-dot": (msk(Topics=[".orders"]), "E207", "pattern", "Topics"),
    "topic-too-long": (msk(Topics=["t" * 250]), "E206", "less than or equal to 249", "Topics"),
    "server-without-port": (
        brokers(SelfManagedEventSource=servers("broker")), "E207", "pattern",
        "KAFKA_BOOTSTRAP_SERVERS",
    ),
    "server-too-long": (
        brokers(SelfManagedEventSource=servers("b" * 300 + ":9092")), "E206", "300",
        "KAFKA_BOOTSTRAP_SERVERS",
    ),
    "no-server": (
        brokers(SelfManagedEventSource=servers()), "E206", "greater than or equal to 1",
        "KAFKA_BOOTSTRAP_SERVERS",
    ),
    "eleven-servers": (
        brokers(SelfManagedEventSource=servers(*["b:1"] * 11)), "E206", "equal to 10",
        "KAFKA_BOOTSTRAP_SERVERS",
    ),
    "no-endpoints": (
        brokers(SelfManagedEventSource={}), "E203", "selfManagedEventSource.endpoints",
        "SelfManagedEventSource",
    ),
    "unknown-access": (
        brokers(SourceAccessConfigurations=access(("PASSWORD", SECRET))), "E205",
        "'sourceAccessConfigurations.1.member.type'", "Type",
    ),
    "access-with-a-bad-uri": (
        brokers(SourceAccessConfigurations=access(("BASIC_AUTH", "a;b"))), "E207", "uRI", "URI",
    ),
    "too-much-access": (
        brokers(SourceAccessConfigurations=access(*[("BASIC_AUTH", SECRET)] * 24)), "E206", "23",
        "SourceAccessConfigurations",
    ),
    "no-poller": (
        msk(ProvisionedPollerConfig={"MinimumPollers": 0}), "E204",
        "'provisionedPollerConfig.minimumPollers'", "MinimumPollers",
    ),
    "too-many-minimum-pollers": (
        msk(ProvisionedPollerConfig={"MinimumPollers": 201}), "E204", "200", "MinimumPollers",
    ),
    "poller-group-with-space": (
        msk(ProvisionedPollerConfig={"PollerGroupName": "a b"}), "E207", "pollerGroupName",
        "PollerGroupName",
    ),
    "poller-group-too-long": (
        msk(ProvisionedPollerConfig={"PollerGroupName": "a" * 129}), "E206", "128",
        "PollerGroupName",
    ),
    "group-id-with-semicolon": (
        msk(AmazonManagedKafkaEventSourceConfig={"ConsumerGroupId": "a;b"}), "E207",
        "'amazonManagedKafkaEventSourceConfig.consumerGroupId'", "ConsumerGroupId",
    ),
    "group-id-too-long": (
        brokers(SelfManagedKafkaEventSourceConfig={"ConsumerGroupId": "a" * 201}), "E206", "200",
        "ConsumerGroupId",
    ),
    "log-level": (
        msk(LoggingConfig={"SystemLogLevel": "ERROR"}, **PROVISIONED), "E205",
        "[DEBUG, INFO, WARN]", "SystemLogLevel",
    ),
    "consumption-mode": (
        brokers(SelfManagedKafkaEventSourceConfig={"ConsumptionMode": "queue"}), "E205",
        "[Stream, Queue]", "ConsumptionMode",
    ),
    "record-format": (
        msk_registry(EventRecordFormat="AVRO"), "E205", "[JSON, SOURCE]", "EventRecordFormat",
    ),
    "attribute": (
        msk_registry(SchemaValidationConfigs=[{"Attribute": "BODY"}]), "E205", "[KEY, VALUE]",
        "Attribute",
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("request_", "esm_code", "part", "mended"), VIOLATIONS.values(), ids=VIOLATIONS
)
def test_a_value_that_awss_framework_refuses(request_, esm_code, part, mended):
    error = refusal(request_)
    assert (error.esm_code, error.code) == (esm_code, FRAMEWORK)
    assert error.message.startswith("1 validation error detected: Value ")
    assert part in error.message
    assert error.fix is not None
    assert error.fix.startswith(f"{mended}: ")


REFUSED = {
    "no-topic": (msk(Topics=None), "E216", "Required 'topics' parameter is missing."),
    "no-access": (
        brokers(SourceAccessConfigurations=None), "E216",
        "Required 'sourceAccessConfigurations' parameter is missing.",
    ),
    "empty-access": (
        brokers(SourceAccessConfigurations=[]), "E216",
        "Required 'sourceAccessConfigurations' parameter is missing.",
    ),
    "cluster-that-is-none": (
        msk(EventSourceArn="arn:aws:kafka:us-east-1:123456789012:topic/orders"), "E210",
        "Unrecognized event source.",
    ),
    "both-sources": (
        msk(SelfManagedEventSource=servers("b:1")), "E220",
        "Unsupported 'selfManagedEventSource' parameter for given event source mapping type.",
    ),
    "lanes": (
        msk(ParallelizationFactor=2), "E220",
        "Unsupported 'parallelizationFactor' parameter for given event source mapping type.",
    ),
    "window": (
        brokers(TumblingWindowInSeconds=0), "E220",
        "Unsupported 'tumblingWindowInSeconds' parameter for given event source mapping type.",
    ),
    "settings-of-brokers": (
        msk(SelfManagedKafkaEventSourceConfig={"ConsumerGroupId": "g"}), "E220",
        "Unsupported 'selfManagedKafkaEventSourceConfig' parameter for given event source "
        "mapping type.",
    ),
    "settings-of-msk": (
        brokers(AmazonManagedKafkaEventSourceConfig={"ConsumerGroupId": "g"}), "E220",
        "Unsupported 'amazonManagedKafkaEventSourceConfig' parameter for given event source "
        "mapping type.",
    ),
    "on-success": (
        msk(DestinationConfig={"OnSuccess": {"Destination": QUEUE}}), "E221",
        "Unsupported DestinationConfig parameter for given event source mapping type.",
    ),
    "fifo": (
        msk(DestinationConfig=on_failure(f"{QUEUE}.fifo")), "E224",
        f"on-failure destination {QUEUE}.fifo is FIFO",
    ),
    "on-demand-destination": (
        msk(DestinationConfig=on_failure("kafka://failures")), "E227",
        "on-failure destination kafka://failures without ProvisionedPollerConfig",
    ),
    "destination-is-source": (
        msk(DestinationConfig=on_failure("kafka://orders"), **PROVISIONED), "E234",
        "on-failure destination kafka://orders is the topic that is read",
    ),
    "more-than-2000-pollers": (
        msk(ProvisionedPollerConfig={"MaximumPollers": 2001}), "E219",
        "MaximumPollers 2001, and Kafka has 2000 at most",
    ),
    "more-minimum-than-maximum": (
        msk(ProvisionedPollerConfig={"MinimumPollers": 3, "MaximumPollers": 2}), "E219",
        "MinimumPollers 3 with MaximumPollers 2",
    ),
    "access-without-type": (
        brokers(SourceAccessConfigurations=[{"URI": SECRET}]), "E232",
        "an access configuration without Type",
    ),
    "basic-on-msk": (
        msk(SourceAccessConfigurations=access(("BASIC_AUTH", SECRET))), "E231",
        "MSK has no access by BASIC_AUTH",
    ),
    "vpc-on-msk": (
        msk(SourceAccessConfigurations=access(("VPC_SUBNET", "subnet:subnet-1"))), "E231",
        "MSK has no access by VPC_SUBNET",
    ),
    "virtual-host": (
        brokers(SourceAccessConfigurations=access(("VIRTUAL_HOST", "/"))), "E231",
        "SelfManagedKafka has no access by VIRTUAL_HOST",
    ),
    "no-uri": (
        brokers(SourceAccessConfigurations=access(("BASIC_AUTH", None))), "E232",
        "the URI of BASIC_AUTH must be the ARN of a secret, and has none",
    ),
    "uri-is-no-secret": (
        brokers(SourceAccessConfigurations=access(("SASL_SCRAM_256_AUTH", "password"))), "E232",
        "the URI of SASL_SCRAM_256_AUTH must be the ARN of a secret, not 'password'",
    ),
    "bare-subnet": (
        brokers(SourceAccessConfigurations=access(("VPC_SUBNET", "subnet-0a1b"))), "E232",
        "the URI of VPC_SUBNET must be subnet:subnet-…, not 'subnet-0a1b'",
    ),
    "bare-security-group": (
        brokers(SourceAccessConfigurations=access(("VPC_SECURITY_GROUP", "sg-0a1b"))), "E232",
        "the URI of VPC_SECURITY_GROUP must be security_group:sg-…, not 'sg-0a1b'",
    ),
    "role-with-uri": (
        brokers(SourceAccessConfigurations=access(("IAM_AUTH", SECRET))), "E232",
        "IAM_AUTH has no URI: the function's role is enough",
    ),
    "scope-alone": (
        brokers(SourceAccessConfigurations=access(("OAUTHBEARER_SCOPE", "read"))), "E233",
        "OAUTHBEARER_SCOPE without OAUTHBEARER_AUTH",
    ),
    "audience-alone": (
        brokers(SourceAccessConfigurations=access(("OAUTHBEARER_AUDIENCE", "kafka"))), "E233",
        "OAUTHBEARER_AUDIENCE without OAUTHBEARER_AUTH or IAM_OAUTHBEARER_AUTH",
    ),
    "role-without-audience": (
        brokers(SourceAccessConfigurations=access(("IAM_OAUTHBEARER_AUTH", None))), "E233",
        "IAM_OAUTHBEARER_AUTH without OAUTHBEARER_AUDIENCE",
    ),
    "role-with-secret": (
        brokers(
            SourceAccessConfigurations=access(
                ("IAM_OAUTHBEARER_AUTH", None),
                ("OAUTHBEARER_AUDIENCE", "kafka"),
                ("OAUTHBEARER_AUTH", SECRET),
            )
        ), "E233", "IAM_OAUTHBEARER_AUTH with OAUTHBEARER_AUTH",
    ),
    "registry-on-demand": (
        msk(AmazonManagedKafkaEventSourceConfig=registry()), "E228", NOT_PROVISIONED,
    ),
    "registry-without-address": (
        msk_registry(SchemaRegistryURI=None), "E228", MALFORMED_URI,
    ),
    "registry-over-http": (
        msk_registry(SchemaRegistryURI="http://registry"), "E228", MALFORMED_URI,
    ),
    "registry-without-format": (msk_registry(EventRecordFormat=None), "E228", NO_FORMAT),
    "registry-that-validates-nothing": (
        msk_registry(SchemaValidationConfigs=None), "E228", NO_VALIDATION,
    ),
    "registry-with-an-attribute-twice": (
        msk_registry(SchemaValidationConfigs=[{"Attribute": "KEY"}] * 2), "E228", TWICE,
    ),
    "registry-of-another-account": (
        msk_registry(SchemaRegistryURI=REGISTRY.replace("1234", "4321")), "E228", OTHER_ACCOUNT,
    ),
    "registry-of-another-region": (
        msk_registry(SchemaRegistryURI=REGISTRY.replace("east", "west")), "E228", OTHER_REGION,
    ),
    "glue-with-access": (
        msk_registry(
            SchemaRegistryURI=REGISTRY,
            AccessConfigs=[{"Type": "BASIC_AUTH", "URI": SECRET}],
        ), "E228", "AccessConfigs with a Glue schema registry",
    ),
    **{
        f"on-demand-{name}": (
            msk(**{name: value}), "E227", f"{name} without ProvisionedPollerConfig",
        )
        for name, value in {
            "MaximumRetryAttempts": -1,
            "MaximumRecordAgeInSeconds": 60,
            "BisectBatchOnFunctionError": False,
            "FunctionResponseTypes": [],
            "LoggingConfig": {"SystemLogLevel": "INFO"},
        }.items()
    },
    **{
        f"queue-mode-{name}": (
            brokers(
                SelfManagedKafkaEventSourceConfig={"ConsumptionMode": "Queue"},
                **PROVISIONED, **{name: value},
            ), "E218", f"{name} {value} with ConsumptionMode Queue",
        )
        for name, value in {
            "StartingPosition": "LATEST",
            "MaximumBatchingWindowInSeconds": 0,
            "MaximumRetryAttempts": -1,
        }.items()
    },
}  # fmt: skip


@pytest.mark.parametrize(("request_", "esm_code", "message"), REFUSED.values(), ids=REFUSED)
def test_aws_refuses(request_, esm_code, message):
    error = refusal(request_)
    assert (error.esm_code, error.code, error.message) == (esm_code, INVALID, message)
    assert error.why is not None
    assert error.why.startswith("AWS refuses it")
    assert error.fix


@pytest.mark.parametrize(
    ("request_", "path", "fix"),
    [
        (
            msk(ProvisionedPollerConfig={"MinimumPoller": 1}),
            "ProvisionedPollerConfig.MinimumPoller",
            "MinimumPollers: 1",
        ),
        (
            msk(AmazonManagedKafkaEventSourceConfig={"Mode": "x"}),
            "AmazonManagedKafkaEventSourceConfig.Mode",
            "remove Mode",
        ),
        (
            brokers(SourceAccessConfigurations=[{"Secret": SECRET}]),
            "SourceAccessConfigurations[0].Secret",
            "remove Secret",
        ),
    ],
)
def test_a_member_that_the_api_does_not_have(request_, path, fix):
    error = refusal(request_)
    assert (error.esm_code, error.message) == ("E202", f"{path}: no such member")
    assert error.fix == fix


def test_empty_provisioned_mode_is_on_demand():
    assert refusal(msk(ProvisionedPollerConfig={}, MaximumRetryAttempts=1)).esm_code == "E227"


def test_everything_is_told_at_once_with_its_path():
    request = brokers(
        Topics=["aa", "bb"],
        BatchSize=0,
        StartingPositionTimestamp=5,
        SourceAccessConfigurations=access(("IAM_AUTH", SECRET), ("VPC_SUBNET", "subnet-1")),
        ProvisionedPollerConfig={"MinimumPollers": 9, "MaximumPollers": 1},
    )
    found = [(fault.error.esm_code, fault.path) for fault in every_fault(request, now_ms=NOW_MS)]
    assert found == [
        ("E204", ("BatchSize",)),
        ("E206", ("Topics",)),
        ("E214", ("StartingPositionTimestamp",)),
        ("E219", ("ProvisionedPollerConfig", "MinimumPollers")),
        ("E232", ("SourceAccessConfigurations", 0, "URI")),
        ("E232", ("SourceAccessConfigurations", 1, "URI")),
        ("E290", ("EventSourceArn",)),
    ]


def test_what_rests_on_a_value_that_nobody_knows_is_not_judged():
    request = {"FunctionName": "f", "Topics": ["orders"], "MaximumRetryAttempts": 1}
    unknown = {"EventSourceArn", "ProvisionedPollerConfig", "StartingPosition"}
    found = every_fault(request, now_ms=NOW_MS, source=Source.MSK, unknown=unknown)
    assert [fault for fault in found if not isinstance(fault.error, NotEmulated)] == []


@pytest.mark.parametrize(
    "row", [r for r in PROPERTIES if Source.SELF_MANAGED_KAFKA in r.about.sources], ids=str
)
def test_what_a_fix_suggests_is_accepted(row):
    more = {"StartingPosition": "AT_TIMESTAMP"} if row.name == "StartingPositionTimestamp" else {}
    request = brokers(**{row.name: row.about.example, **PROVISIONED, **more})
    assert isinstance(refusal(request), NotEmulated)


@pytest.mark.parametrize(
    ("source", "seconds", "is_refused"),
    [
        (Source.MSK, 841, True),
        (Source.SELF_MANAGED_KAFKA, 900, True),
        (Source.MSK, 840, False),
        (Source.KINESIS, 900, False),
        (None, 900, False),
    ],
)
def test_a_function_of_kafka_has_fourteen_minutes(source, seconds, is_refused):
    error = timeout_error(source, seconds)
    assert (error is not None) is is_refused
    if error is not None:
        assert (error.esm_code, error.fix) == ("E235", "Timeout: 840")


WORDS = st.sampled_from(
    ["", "orders", "Queue", "IAM_AUTH", "AT_TIMESTAMP", "kafka://orders", "b:1", CLUSTER, SECRET]
)
MEMBERS = ["Type", "URI", "Endpoints", "KAFKA_BOOTSTRAP_SERVERS", "OnFailure", "Destination"]
MEMBERS += ["Filters", "Pattern", "MinimumPollers", "SchemaRegistryConfig", "SchemaRegistryURI"]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | WORDS,
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(MEMBERS), inner, max_size=3)
    ),
    max_leaves=5,
)
EXAMPLES = {row.name: row.about.example for row in PROPERTIES}
REQUESTS = st.dictionaries(st.sampled_from(sorted(EXAMPLES)), VALUES, max_size=5)


@settings(max_examples=150, deadline=None)
@given(base=st.sampled_from([OF_MSK, OF_BROKERS, {}]), odd=REQUESTS, source=st.sampled_from(Source))
def test_whatever_is_asked_for_is_answered(base, odd, source):
    request = {**base, **odd}
    faults = list(every_fault(request, now_ms=NOW_MS, source=source))
    assert all(fault.path[0] in EXAMPLES and fault.error.fix for fault in faults)
    with suppress(MappingError):
        create(request, now_ms=NOW_MS)
