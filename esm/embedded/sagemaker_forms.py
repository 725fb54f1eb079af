"""What goes into an endpoint and what comes out: JSON, JSON lines and CSV.

The forms are those of SageMaker's built-in algorithms, with instances also as objects of features.
https://docs.aws.amazon.com/sagemaker/latest/dg/cdf-inference.html
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

from esm.embedded.sagemaker_models import BadInstance, Features, Scorer

JSON, JSON_LINES, CSV = "application/json", "application/jsonlines", "text/csv"
_ANY = ("", "*/*")


def media_type(text: str | None) -> str:
    """`application/json` of `application/json; charset=utf-8`."""
    return (text or "").partition(";")[0].strip().lower()


def parsed(body: bytes, content_type: str) -> Any:
    """A request as Python values, bytes where it has no form that is known; raises BadInstance."""
    try:
        match media_type(content_type):
            case "application/json":
                return json.loads(body)
            case "application/jsonlines":
                return [json.loads(line) for line in body.splitlines() if line.strip()]
            case "text/csv":
                return list(csv.reader(io.StringIO(body.decode())))
            case _:
                return body
    except (ValueError, RecursionError, csv.Error) as error:
        raise BadInstance(f"the body is no {content_type}: {error}") from None


def predictions(scorer: Scorer, request: Any, content_type: str) -> list[float]:
    """A model's score of each instance in a parsed request; raises BadInstance."""
    return [scorer(instance) for instance in _instances(request, media_type(content_type))]


def _instances(request: Any, form: str) -> Sequence[Features]:
    match form:
        case "application/json":
            instances = request.get("instances") if isinstance(request, dict) else None
            if not isinstance(instances, list):
                raise BadInstance('a request is {"instances": [{"features": [1.5, 16.0]}]}')
            return [_features(instance) for instance in instances]
        case "application/jsonlines":
            return [_features(instance) for instance in request]
        case "text/csv":
            return [[_cell(cell) for cell in row] for row in request if row]
        case _:
            raise BadInstance(f"{form or 'no content type'} is none of {JSON}, {JSON_LINES}, {CSV}")


def _features(instance: Any) -> Features:
    features = instance.get("features", instance) if isinstance(instance, dict) else instance
    if isinstance(features, dict | list):
        return features
    raise BadInstance("an instance is a list of features, or an object with their names")


def _cell(text: str) -> object:
    try:
        return float(text)
    except ValueError:
        return text


def answered(scores: Sequence[float], accept: str | None, content_type: str) -> tuple[str, bytes]:
    """Content type and body of an answer; raises BadInstance for a form that is unknown."""
    wanted = media_type(accept)
    form = media_type(content_type) if wanted in _ANY else wanted
    match form:
        case "application/json":
            text = json.dumps({"predictions": [{"score": score} for score in scores]})
        case "application/jsonlines":
            text = "".join(json.dumps({"score": score}) + "\n" for score in scores)
        case "text/csv":
            text = "".join(f"{score!r}\n" for score in scores)
        case _:
            raise BadInstance(f"{form} is none of {JSON}, {JSON_LINES}, {CSV}")
    return form, text.encode()
