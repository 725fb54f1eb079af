"""How an object becomes rows, each scan one row however often it comes."""

from __future__ import annotations

from statements import Warehouse

# Whoever makes the table owns it, and may lock it; analysts and the report read it.
TABLE = (
    """CREATE TABLE IF NOT EXISTS badge_scans (
    scan_id VARCHAR(64) NOT NULL,
    badge_id VARCHAR(64) NOT NULL,
    zone VARCHAR(63) NOT NULL,
    reader_id VARCHAR(64) NOT NULL,
    hour TIMESTAMP NOT NULL,
    scanned_at TIMESTAMP NOT NULL
)""",
    "GRANT SELECT ON badge_scans TO PUBLIC",
)


def load(warehouse: Warehouse, bucket: str, key: str) -> None:
    """Bring an object's scans into the warehouse that are not there yet, or raise StatementFailed.

    The lock comes first. Redshift isolates by snapshots, and a transaction takes its own with the
    first table that it reads, writes or makes: two that ran at once, an attempt that has timed out
    and the one that repeats it, would not see each other's rows.
    https://docs.aws.amazon.com/redshift/latest/dg/c_serial_isolation.html
    """
    warehouse.run(*TABLE)
    warehouse.run(
        "LOCK badge_scans",
        "CREATE TEMP TABLE arrived_scans AS SELECT * FROM badge_scans WHERE FALSE",
        f"COPY arrived_scans FROM 's3://{bucket}/{key}' IAM_ROLE DEFAULT"
        " FORMAT AS JSON 'auto' TIMEFORMAT 'auto'",
        "INSERT INTO badge_scans SELECT * FROM arrived_scans WHERE NOT EXISTS"
        " (SELECT 1 FROM badge_scans WHERE badge_scans.scan_id = arrived_scans.scan_id)",
        "DROP TABLE arrived_scans",
    )
