"""The SageMaker endpoint of the price model.

Requests and answers have the JSON of SageMaker's own Linear Learner, so that a model of its can be
put in the place of the one that is served in tests.
https://docs.aws.amazon.com/sagemaker/latest/dg/LL-in-formats.html
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from botocore.client import BaseClient
from botocore.config import Config

from models import Predictions

JSON = "application/json"

# Two attempts of five seconds and the wait between them end well within the function's 30 seconds,
# and what is slower than that comes back with the batch. Left alone, botocore waits a minute for
# an answer, and the function would time out without having said why.
PATIENCE = Config(
    connect_timeout=1, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 2}
)


def price_factors(
    sagemaker: BaseClient, endpoint: str, rows: Sequence[Sequence[float]]
) -> list[float]:
    """What the model says of each row, in one call; raises what the call raises."""
    body = json.dumps({"instances": [{"features": row} for row in rows]})
    answer = sagemaker.invoke_endpoint(
        EndpointName=endpoint, ContentType=JSON, Accept=JSON, Body=body.encode()
    )
    predictions = Predictions.model_validate_json(answer["Body"].read()).predictions
    if len(predictions) != len(rows):
        raise ValueError(f"{endpoint} answered {len(predictions)} of {len(rows)} rows")
    return [prediction.score for prediction in predictions]
