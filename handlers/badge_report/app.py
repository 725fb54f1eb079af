"""Tells the security team which zones fill up.

Runs on a schedule. Looks at the last quarter of an hour twice: in the warehouse that `badge_load`
fills, where each scan is once but the newest are missing, because a batch waits up to five minutes
for its load; and in the table where `badge_windows` leaves the counts of each minute and shard,
which it adds up. A zone with CONCENTRATED_FROM scans or more by either number is in the message to
the topic SECURITY_TOPIC_ARN; without such a zone there is none.

What fails, and how it comes back:

- A warehouse that cannot run the query, because it is down or nothing was ever loaded, is said in
  the log and in the report, which then has the numbers of the windows alone.
- Any other error of the three services is an error of the function, and Lambda tries again soon.
  The same moment of the schedule gives the same span of time, whenever it is looked at.
- A report that is lost for good is no harm: the next one, five minutes later, looks at ten of its
  fifteen minutes again. A report that comes twice is two messages.
"""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from models import Report, Scheduled, Settings, WarehouseState
from statements import StatementFailed, Warehouse
from totals import concentrated, in_warehouse, in_windows

LOOK_BACK = timedelta(minutes=15)

logger = Logger(service="badge-report")
redshift = boto3.client("redshift-data")
dynamodb = boto3.resource("dynamodb")
sns = boto3.client("sns")


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Report on the time before a moment of the schedule; answers with what it has found."""
    settings = Settings.model_validate(dict(os.environ))
    report = report_until(Scheduled.model_validate(event), settings)
    if report.zones:
        sns.publish(
            TopicArn=settings.SECURITY_TOPIC_ARN,
            Subject=f"Concentrated zones: {len(report.zones)} at {report.until:%H:%M} UTC",
            Message=report.model_dump_json(),
        )
    logger.info("Report", until=report.until, concentrated=len(report.zones))
    return report.model_dump(mode="json")


def report_until(scheduled: Scheduled, settings: Settings) -> Report:
    """What both sources say of the quarter of an hour before."""
    until = scheduled.time
    since = until - LOOK_BACK
    counted = in_windows(dynamodb.Table(settings.COUNTS_TABLE_NAME), since, until)
    warehouse = Warehouse(redshift, settings.WORKGROUP_NAME, settings.DATABASE_NAME)
    try:
        stored, state = in_warehouse(warehouse, since, until), WarehouseState.ANSWERED
    except StatementFailed:
        logger.exception("The report has to do without the warehouse")
        stored, state = {}, WarehouseState.FAILED
    zones = concentrated(stored, counted, settings.CONCENTRATED_FROM)
    return Report(since=since, until=until, warehouse=state, zones=zones)
