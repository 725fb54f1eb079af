"""AWS's own models of its services, which botocore brings along."""

from __future__ import annotations

from functools import cache
from typing import Any


@cache
def service_model(service: str) -> Any:
    """botocore's model of a service, by boto3's name."""
    from botocore.loaders import Loader  # late: it takes its time
    from botocore.model import ServiceModel

    return ServiceModel(Loader().load_service_model(service, "service-2"), service)
