"""A warehouse behind the Data API: statements are recorded, and DuckDB runs them."""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import moto
import pytest
from botocore.exceptions import ClientError

from esm import Harness
from esm.embedded.redshift_sql import first_word, for_duckdb, with_parameters
from esm.errors import EndpointError, InputError

CREATE = """\
CREATE TABLE scans (
  badge VARCHAR(20) ENCODE zstd, zone VARCHAR(MAX), scanned_at TIMESTAMP, n INTEGER, extra SUPER
) DISTSTYLE KEY DISTKEY (zone) COMPOUND SORTKEY (scanned_at)"""
PLACE = {"ClusterIdentifier": "badges", "Database": "dev", "DbUser": "loader"}
SCANS = [
    {"badge": "b1", "zone": "hall", "scanned_at": "2026-01-01T00:00:00.250Z", "n": 1},
    {"badge": "b2", "zone": "hall", "scanned_at": "2026-01-01T00:05:00Z", "n": 2, "other": 1},
    {"badge": "b3", "zone": "it's", "extra": {"gate": [1, 2]}},
]


@cache
def api() -> Any:
    return boto3.session.Session().client("redshift-data", region_name="us-east-1")


@cache
def s3() -> Any:
    return boto3.session.Session().client("s3", region_name="us-east-1")


@pytest.fixture
def harness() -> Iterator[Harness]:
    with Harness() as harness:
        yield harness


def execute(sql: str, **more: Any) -> str:
    return str(api().execute_statement(Sql=sql, **PLACE, **more)["Id"])


def described(statement_id: str) -> Any:
    return api().describe_statement(Id=statement_id)


def lines(scans: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(scan) + "\n" for scan in scans).encode()


def copy(key: str = "scans/", options: str = "FORMAT AS JSON 'auto'") -> Any:
    sql = f"COPY scans FROM 's3://raw/{key}' IAM_ROLE 'arn:aws:iam::1:role/copy' {options}"
    return described(execute(sql))


# --- statements ----------------------------------------------------------------------------------


def test_what_is_inserted_can_be_selected(harness: Harness):
    warehouse = harness.redshift("badges")
    execute(CREATE)
    values = [{"name": "badge", "value": "it's b1"}, {"name": "n", "value": "3"}]
    inserted = execute(
        "INSERT INTO scans (badge, scanned_at, n) VALUES (:badge, getdate(), :n)",
        Parameters=values,
    )
    selected = execute("SELECT badge, n, n / 2.0::FLOAT8 AS half, scanned_at, zone FROM scans")
    answer = api().get_statement_result(Id=selected)
    assert answer["TotalNumRows"] == 1
    assert answer["Records"] == [
        [
            {"stringValue": "it's b1"},
            {"longValue": 3},
            {"doubleValue": 1.5},
            {"stringValue": "2026-01-01 00:00:00"},
            {"isNull": True},
        ]
    ]
    types = [column["typeName"] for column in answer["ColumnMetadata"]]
    assert types == ["varchar", "int4", "float8", "timestamp", "varchar"]
    assert described(inserted)["ResultRows"] == 1
    assert described(inserted)["QueryParameters"] == values
    assert [s.status for s in warehouse.statements] == ["FINISHED"] * 3
    assert warehouse.statements[1].parameters == {"badge": "it's b1", "n": "3"}
    assert warehouse.query("SELECT n FROM public.scans") == [{"n": 3}]


def test_a_statement_is_done_after_its_latency(harness: Harness):
    warehouse = harness.redshift("badges")
    execute(CREATE)
    warehouse.inject.latency("2s")
    statement_id = execute("INSERT INTO scans (n) VALUES (1)")
    harness.advance("1s")
    assert described(statement_id)["Status"] == "STARTED"
    assert warehouse.query("SELECT * FROM scans") == []
    harness.advance("1s")
    answer = described(statement_id)
    assert (answer["Status"], answer["Duration"]) == ("FINISHED", 2_000_000_000)
    assert answer["UpdatedAt"] == datetime(2026, 1, 1, 0, 0, 2, tzinfo=UTC)
    assert len(warehouse.query("SELECT * FROM scans")) == 1


def test_a_statement_that_is_cancelled_does_nothing(harness: Harness):
    warehouse = harness.redshift("badges")
    execute(CREATE)
    warehouse.inject.latency("2s")
    statement_id = execute("INSERT INTO scans (n) VALUES (1)")
    assert api().cancel_statement(Id=statement_id)["Status"] is True
    harness.advance("3s")
    assert described(statement_id)["Status"] == "ABORTED"
    assert warehouse.query("SELECT * FROM scans") == []
    with pytest.raises(ClientError, match="already in ABORTED state"):
        api().cancel_statement(Id=statement_id)


def test_a_batch_is_one_transaction(harness: Harness):
    warehouse = harness.redshift("badges")
    execute(CREATE)
    insert = "INSERT INTO scans (n) VALUES (1)"
    good = api().batch_execute_statement(Sqls=[insert, "SELECT count(*) FROM scans"], **PLACE)
    bad = api().batch_execute_statement(Sqls=[insert, "SELECT nope FROM scans", insert], **PLACE)
    assert [p["Status"] for p in described(good["Id"])["SubStatements"]] == ["FINISHED"] * 2
    count = api().get_statement_result(Id=f"{good['Id']}:2")
    assert count["Records"] == [[{"longValue": 1}]]
    failed = described(bad["Id"])
    assert failed["Status"] == "FAILED"
    assert 'Referenced column "nope" not found' in failed["Error"]
    assert [p["Status"] for p in failed["SubStatements"]] == ["FINISHED", "FAILED", "ABORTED"]
    assert len(warehouse.query("SELECT * FROM scans")) == 1


def test_temporary_tables_end_with_their_session(harness: Harness):
    harness.redshift("badges")
    for _ in range(2):
        sqls = [
            "CREATE TEMP TABLE arrived (n INT)",
            "LOCK arrived",
            "INSERT INTO arrived VALUES (1)",
        ]
        done = api().batch_execute_statement(Sqls=sqls, **PLACE)
        assert described(done["Id"])["Status"] == "FINISHED"
    assert described(execute("SELECT * FROM arrived"))["Status"] == "FAILED"


def test_statements_fail_as_told(harness: Harness):
    warehouse = harness.redshift("badges")
    warehouse.fail(times=1)
    first, second = execute(CREATE), execute(CREATE)
    assert (described(first)["Status"], described(first)["Error"]) == ("FAILED", "ERROR: injected")
    assert described(second)["Status"] == "FINISHED"


@pytest.mark.parametrize(
    ("sql", "error"),
    [
        ("SELEC 1", "syntax error"),
        ("SELECT 1; SELECT 2", "cannot insert multiple commands"),
        ("-- nothing", "syntax error at end of input"),
        ("SELECT * FROM read_csv('/etc/hosts')", "file system operations are disabled"),
        ("COPY nope FROM 's3://raw/scans/' IAM_ROLE default JSON 'auto'", "nonexistent table nope"),
    ],
)
def test_sql_that_is_refused_fails(harness: Harness, sql: str, error: str):
    harness.redshift("badges")
    harness.bucket("raw").deliver("scans/1", {}, 0)
    answer = described(execute(sql))
    assert answer["Status"] == "FAILED"
    assert answer["Error"].startswith("ERROR: ")
    assert error in answer["Error"]


def test_statements_are_listed_from_the_newest(harness: Harness):
    harness.redshift("badges")
    ids = [execute(f"SELECT {n}", StatementName=f"load-{n}") for n in range(3)]
    failed = execute("SELEC", StatementName="other")
    page = api().list_statements(StatementName="load", MaxResults=2)
    rest = api().list_statements(StatementName="load", NextToken=page["NextToken"])
    listed = [s["Id"] for s in page["Statements"] + rest["Statements"]]
    assert listed == ids[::-1]
    assert "NextToken" not in rest
    assert [s["Id"] for s in api().list_statements(Status="FAILED")["Statements"]] == [failed]
    assert len(api().list_statements(Status="ALL")["Statements"]) == 4


def test_statements_of_two_warehouses_are_told_apart_by_their_ids(harness: Harness):
    harness.redshift("badges")
    harness.redshift("trucks")
    other = api().execute_statement(Sql="SELECT 2", ClusterIdentifier="trucks", Database="dev")
    ids = [execute("SELECT 1"), str(other["Id"])]
    assert [described(each)["QueryString"] for each in ids] == ["SELECT 1", "SELECT 2"]


# --- COPY ----------------------------------------------------------------------------------------


def test_copy_loads_objects_of_a_bucket_once_per_statement(harness: Harness):
    warehouse = harness.redshift("badges")
    execute(CREATE)
    with moto.mock_aws():
        s3().create_bucket(Bucket="raw")
        s3().put_object(Bucket="raw", Key="scans/1.json", Body=lines(SCANS[:2]))
        s3().put_object(Bucket="raw", Key="scans/2.json", Body=lines(SCANS[2:]))
        s3().put_object(Bucket="raw", Key="else/3.json", Body=lines(SCANS))
        first = copy()
        again = copy("scans/2.json")
    assert (first["Status"], first["ResultRows"]) == ("FINISHED", 3)
    assert again["ResultRows"] == 1
    rows = warehouse.query("SELECT * FROM scans ORDER BY badge, n")
    assert rows[0] == {
        "badge": "b1",
        "zone": "hall",
        "scanned_at": datetime(2026, 1, 1, 0, 0, 0, 250_000),
        "n": 1,
        "extra": None,
    }
    assert [row["badge"] for row in rows] == ["b1", "b2", "b3", "b3"]
    assert json.loads(rows[3]["extra"]) == {"gate": [1, 2]}


def test_copy_reads_what_mappings_gave_to_a_bucket_of_the_test(harness: Harness):
    warehouse = harness.redshift("badges")
    bucket = harness.bucket("raw")
    execute("CREATE TABLE failures (zone VARCHAR, payload SUPER)")
    bucket.deliver("aws/1", {"zone": "hall", "payload": {"a": 1}}, 0)
    done = described(
        execute("COPY failures (zone) FROM 's3://raw/aws' IAM_ROLE default JSON 'auto'")
    )
    assert done["Status"] == "FINISHED"
    assert warehouse.query("SELECT * FROM failures") == [{"zone": "hall", "payload": None}]


@pytest.fixture
def raw(harness: Harness) -> Iterator[Any]:
    harness.redshift("badges")
    execute(CREATE)
    with moto.mock_aws():
        s3().create_bucket(Bucket="raw")
        yield lambda key, body: s3().put_object(Bucket="raw", Key=key, Body=body)


def test_copy_unpacks_objects(raw: Any):
    raw("scans/1.gz", gzip.compress(lines(SCANS)))
    raw("plain/1.gz", lines(SCANS))
    assert copy(options="GZIP JSON 'auto' REGION 'us-east-1' COMPUPDATE OFF")["ResultRows"] == 3
    assert "not packed with gzip" in copy("plain/", "JSON GZIP")["Error"]


def test_copy_reads_what_a_manifest_lists(harness: Harness, raw: Any):
    raw("a.json", lines(SCANS[:1]))
    raw("b.json", lines(SCANS[1:]))
    entries = [
        {"url": "s3://raw/b.json", "mandatory": True},
        {"url": "s3://raw/missing.json"},
    ]
    raw("manifest", json.dumps({"entries": entries}).encode())
    assert copy("manifest", "MANIFEST FORMAT JSON 'auto'")["ResultRows"] == 2
    raw("manifest", json.dumps({"entries": [{**entries[1], "mandatory": True}]}).encode())
    assert "missing.json does not exist" in copy("manifest", "JSON MANIFEST")["Error"]
    assert "Invalid manifest file" in copy("a.json", "JSON MANIFEST")["Error"]


def test_keys_match_columns_in_lower_case_unless_told(harness: Harness, raw: Any):
    raw("scans/1.json", b'{"Badge": "B"} {"badge": "b"}')
    copy()
    copy(options="FORMAT AS JSON 'auto ignorecase'")
    found = harness.services.warehouses["badges"].query("SELECT badge FROM scans")
    assert [row["badge"] for row in found] == [None, "b", "B", "b"]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b'{"n": "many"}', "Could not convert string 'many' to INT32"),
        (b'{"n": 1', "Invalid JSON"),
        (b"[1]", "an object is wanted"),
        (b"\xff", "Invalid JSON"),
    ],
)
def test_an_object_that_cannot_be_loaded_fails_the_whole_copy(
    harness: Harness, raw: Any, body: bytes, error: str
):
    raw("scans/1.json", lines(SCANS))
    raw("scans/2.json", body)
    answer = copy()
    assert answer["Status"] == "FAILED"
    assert answer["Error"].startswith("ERROR: Load into table 'scans' failed.")
    assert error in answer["Error"]
    assert harness.services.warehouses["badges"].query("SELECT * FROM scans") == []


def test_a_copy_without_objects_fails(raw: Any):
    assert copy()["Error"] == "ERROR: The specified S3 prefix 'scans/' does not exist"
    nowhere = described(execute("COPY scans FROM 's3://none/x' IAM_ROLE default JSON 'auto'"))
    assert "Status 404,Error NoSuchBucket" in nowhere["Error"]


def test_a_copy_takes_no_parameters(raw: Any):
    sql = "COPY scans FROM 's3://raw/scans/' IAM_ROLE :role JSON 'auto'"
    answer = described(execute(sql, Parameters=[{"name": "role", "value": "arn"}]))
    assert answer["Error"] == 'ERROR: syntax error at or near "$1"'


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("COPY scans FROM 's3://raw/x' IAM_ROLE default CSV", "COPY with CSV"),
        ("COPY scans FROM 's3://raw/x' IAM_ROLE default", "COPY of anything but JSON"),
        ("COPY scans FROM 's3://raw/x' JSON 's3://raw/paths.json'", "COPY with JSON"),
        ("COPY scans FROM 'emr://x' JSON 'auto'", "this COPY"),
    ],
)
def test_a_copy_that_is_not_emulated_is_refused(harness: Harness, sql: str, message: str):
    harness.redshift("badges")
    with pytest.raises(EndpointError, match=message) as caught:
        execute(sql)
    assert caught.value.esm_code == "E508"


def test_a_bucket_that_is_nowhere_does_not_reach_aws(harness: Harness):
    harness.redshift("badges")
    with pytest.raises(EndpointError, match="s3 ListObjectsV2") as caught:
        execute("COPY scans FROM 's3://raw/x' IAM_ROLE default JSON 'auto'")
    assert caught.value.esm_code == "E501"


# --- the API -------------------------------------------------------------------------------------


def test_the_same_token_sends_a_statement_once_for_eight_hours(harness: Harness):
    warehouse = harness.redshift("badges")
    execute(CREATE)
    sql = "INSERT INTO scans (n) VALUES (1)"
    first = execute(sql, ClientToken="batch-1")
    assert execute(sql, ClientToken="batch-1") == first
    with pytest.raises(ClientError, match="other parameters"):
        execute("SELECT 1", ClientToken="batch-1")
    assert len(warehouse.query("SELECT * FROM scans")) == 1
    harness.advance("8h")
    assert execute(sql, ClientToken="batch-1") != first


@pytest.mark.parametrize(
    ("params", "code", "message"),
    [
        ({"Database": "dev", "ClusterIdentifier": "none"}, "ValidationException", "doesn't exist"),
        ({"Database": "dev"}, "ValidationException", "Exactly one of"),
        ({"ClusterIdentifier": "badges"}, "ValidationException", "Database is required"),
        ({**PLACE, "Sql": "SELECT :n"}, "ValidationException", "Cannot find parameter: n"),
    ],
)
def test_a_call_that_aws_refuses(harness: Harness, params: Any, code: str, message: str):
    harness.redshift("badges")
    with pytest.raises(ClientError, match=message) as caught:
        api().execute_statement(**{"Sql": "SELECT 1", **params})
    assert caught.value.response["Error"]["Code"] == code


def test_another_database_does_not_exist(harness: Harness):
    harness.redshift("badges", database="events")
    assert described(execute("SELECT 1"))["Error"] == (
        'ERROR: FATAL: database "dev" does not exist'
    )


def test_only_statements_with_rows_have_results(harness: Harness):
    harness.redshift("badges")
    statement_id = execute(CREATE)
    with pytest.raises(ClientError, match="Query does not have result"):
        api().get_statement_result(Id=statement_id)
    with pytest.raises(ClientError, match="Query does not exist"):
        described("00000000-0000-4000-8000-000000000000")


def test_calls_are_refused_as_told_and_tried_again(harness: Harness):
    warehouse = harness.redshift("badges")
    warehouse.inject.throttle(1)
    warehouse.inject.error(status=500)
    execute(CREATE)
    warehouse.inject.error(status=400)
    with pytest.raises(ClientError, match="ActiveStatementsExceededException"):
        execute("SELECT 1")
    assert len(warehouse.statements) == 1


@pytest.mark.parametrize(
    ("call", "params"),
    [
        ("execute_statement", {**PLACE, "Sql": "SELECT 1", "WithEvent": True}),
        ("list_tables", {"Database": "dev"}),
    ],
)
def test_what_is_not_emulated_is_refused(harness: Harness, call: str, params: Any):
    harness.redshift("badges")
    with pytest.raises(EndpointError, match="the embedded Redshift does not know") as caught:
        getattr(api(), call)(**params)
    assert caught.value.esm_code == "E502"


def test_without_warehouses_no_call_leaves_the_harness(harness: Harness):
    with pytest.raises(EndpointError, match="redshift-data ExecuteStatement") as caught:
        execute("SELECT 1")
    assert caught.value.esm_code == "E501"


# --- without DuckDB ------------------------------------------------------------------------------


def test_without_duckdb_statements_are_recorded_and_rows_refused(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "duckdb", None)
    warehouse = harness.redshift("badges")
    statement_id = execute(CREATE)
    assert described(statement_id)["Status"] == "FINISHED"
    assert [statement.sql for statement in warehouse.statements] == [CREATE]
    for ask in (lambda: execute("SELECT 1"), lambda: warehouse.query("SELECT 1")):
        with pytest.raises(EndpointError, match="without DuckDB") as caught:
            ask()
        assert caught.value.esm_code == "E504"


# --- SQL -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "word"),
    [("select 1", "SELECT"), ("-- why\n /* x */ (SELECT 1)", "SELECT"), ("", ""), ("1", "")],
)
def test_a_statement_begins_with_a_word(sql: str, word: str):
    assert first_word(sql) == word


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT :a, ':a', x::int -- :a", "SELECT '1', ':a', x::int -- :a"),
        ('WHERE t > :a AND u = ":a"', "WHERE t > '1' AND u = \":a\""),
    ],
)
def test_parameters_stand_outside_of_text(sql: str, expected: str):
    assert with_parameters(sql, {"a": "1"}) == expected


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT getdate(), 'getdate()'",
         "SELECT TIMESTAMP '2026-03-02 09:15:00.000000', 'getdate()'"),
        ("SELECT current_date", "SELECT DATE '2026-03-02'"),
        ("SELECT DATEADD(minute, -15, at)", "SELECT (INTERVAL (-15) minute +  at)"),
        ("SELECT DATEDIFF(second, a, b)", "SELECT date_diff('second', a, b)"),
        ("SELECT sortkey FROM t", "SELECT sortkey FROM t"),
    ],
)  # fmt: skip
def test_redshifts_words_become_duckdbs(sql: str, expected: str):
    assert for_duckdb(sql, datetime(2026, 3, 2, 9, 15, tzinfo=UTC)) == expected


def test_chance_in_sql_is_the_same_in_every_run(harness: Harness):
    chance = "SELECT random() AS a, random() AS b"
    [first] = harness.redshift("badges").query(chance)
    assert first["a"] != first["b"]
    with Harness() as other:
        assert other.redshift("badges").query(chance) == [first]


def test_query_tells_what_is_wrong_with_the_sql(harness: Harness):
    with pytest.raises(EndpointError, match="nope does not exist") as caught:
        harness.redshift("badges").query("SELECT * FROM nope")
    assert caught.value.esm_code == "E507"


# --- templates -----------------------------------------------------------------------------------

TEMPLATE = """\
Resources:
  Raw: {Type: AWS::S3::Bucket, Properties: {BucketName: raw}}
  Namespace:
    Type: AWS::RedshiftServerless::Namespace
    Properties: {NamespaceName: events, DbName: badges}
  Workgroup:
    Type: AWS::RedshiftServerless::Workgroup
    Properties: {WorkgroupName: events, NamespaceName: !Ref Namespace}
  Cluster:
    Type: AWS::Redshift::Cluster
    Properties: {ClusterType: single-node, DBName: dev, NodeType: ra3.large, MasterUsername: me}
"""


def test_a_template_declares_warehouses_that_read_its_buckets(harness: Harness, tmp_path: Path):
    path = tmp_path / "template.yaml"
    path.write_text(TEMPLATE)
    mappings = harness.template(path)
    s3().put_object(Bucket="raw", Key="scans/1.json", Body=lines(SCANS))
    place = {"WorkgroupName": "events", "Database": "badges"}
    for sql in (CREATE, "COPY scans FROM 's3://raw/scans/' IAM_ROLE default JSON 'auto'"):
        api().execute_statement(Sql=sql, **place)
    assert len(mappings.warehouses["Workgroup"].query("SELECT * FROM scans")) == 3
    cluster = mappings.warehouses["Cluster"]
    assert cluster.name.startswith("sam-app-cluster-")
    assert cluster.statements == []


def test_a_warehouse_has_one_name(harness: Harness):
    harness.redshift("badges")
    with pytest.raises(InputError, match="has a warehouse 'badges' already"):
        harness.redshift("badges")
