"""Which resources have names that we know, by type, and what SAM makes beside them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from esm.errors import Place
from esm.template import aws, complaints
from esm.template.aws import Deployment, Identity
from esm.template.nodes import Node
from esm.template.sections import Declared

STREAM = "AWS::Kinesis::Stream"
CONSUMER = "AWS::Kinesis::StreamConsumer"
TABLE = "AWS::DynamoDB::Table"
GLOBAL_TABLE = "AWS::DynamoDB::GlobalTable"
SIMPLE_TABLE = "AWS::Serverless::SimpleTable"
TOPIC = "AWS::SNS::Topic"
QUEUE = "AWS::SQS::Queue"
BUCKET = "AWS::S3::Bucket"
SAM_FUNCTION = "AWS::Serverless::Function"
FUNCTION = "AWS::Lambda::Function"
MAPPING = "AWS::Lambda::EventSourceMapping"

# What SAM appends to a logical id of its own.
_MADE_BY_SAM = re.compile(
    r"\.\w+|(Alias|Version|Deployment|UsagePlan|ApiKey)\w*|\w*Stage|[0-9a-f]{10}"
)

_TABLES = (TABLE, GLOBAL_TABLE, SIMPLE_TABLE)
_BUCKET_LENGTH = 63
# Their names have no capital letters, and are as short as a bucket's.
_IN_LOWER_CASE = {
    BUCKET,
    "AWS::Redshift::Cluster",
    "AWS::RedshiftServerless::Namespace",
    "AWS::RedshiftServerless::Workgroup",
}
_QUEUE_LENGTH = 80

_NAME_PROPERTIES = {
    STREAM: "Name",
    CONSUMER: "ConsumerName",
    TABLE: "TableName",
    GLOBAL_TABLE: "TableName",
    SIMPLE_TABLE: "TableName",
    TOPIC: "TopicName",
    QUEUE: "QueueName",
    BUCKET: "BucketName",
    SAM_FUNCTION: "FunctionName",
    FUNCTION: "FunctionName",
    "AWS::IAM::Role": "RoleName",
    "AWS::MSK::Cluster": "ClusterName",
    "AWS::MSK::ServerlessCluster": "ClusterName",
    "AWS::SecretsManager::Secret": "Name",
    "AWS::SageMaker::Endpoint": "EndpointName",
    "AWS::SageMaker::EndpointConfig": "EndpointConfigName",
    "AWS::SageMaker::Model": "ModelName",
    "AWS::Redshift::Cluster": "ClusterIdentifier",
    "AWS::RedshiftServerless::Namespace": "NamespaceName",
    "AWS::RedshiftServerless::Workgroup": "WorkgroupName",
}
_BUILDERS: Mapping[str, Callable[[Deployment, str], Identity]] = {
    STREAM: aws.stream,
    TOPIC: aws.topic,
    QUEUE: aws.queue,
    BUCKET: aws.bucket,
    SAM_FUNCTION: aws.function,
    FUNCTION: aws.function,
    "AWS::IAM::Role": aws.role,
    "AWS::KMS::Key": aws.key,
    "AWS::MSK::Cluster": aws.cluster,
    "AWS::MSK::ServerlessCluster": aws.cluster,
    "AWS::SecretsManager::Secret": aws.secret,
    "AWS::SageMaker::Endpoint": aws.endpoint,
    "AWS::SageMaker::EndpointConfig": aws.endpoint_config,
    "AWS::SageMaker::Model": aws.model,
    "AWS::Redshift::Cluster": aws.warehouse,
    "AWS::RedshiftServerless::Namespace": aws.namespace,
    "AWS::RedshiftServerless::Workgroup": aws.workgroup,
}


def identity_of(
    resource: Declared, deployment: Deployment, text: Callable[[Node], str]
) -> Identity | None:
    """Name and ARN of a resource; None for the types that are none of our business."""
    kind, properties = resource.type, resource.properties
    name = _name(resource, deployment, text)
    if kind in _TABLES:
        streams = {"StreamSpecification"} & properties.keys()
        return aws.table(deployment, name, has_stream=bool(streams))
    if kind == CONSUMER:
        if "StreamARN" not in properties:
            raise complaints.MISSING.at(
                resource.place,
                f"{resource.logical_id} needs a StreamARN",
                fix="StreamARN: !GetAtt Orders.Arn",
            )
        return aws.consumer(name, text(properties["StreamARN"]))
    builder = _BUILDERS.get(kind)
    return None if builder is None else builder(deployment, name)


def name_place(resource: Declared) -> Place:
    """Where its name stands, or the resource where it has none of its own."""
    node = resource.properties.get(_NAME_PROPERTIES.get(resource.type, ""))
    return resource.place if node is None else node.place


def is_fifo(resource: Declared, text: Callable[[Node], str]) -> bool:
    """Whether a queue or topic keeps order."""
    flags = [resource.properties.get(name) for name in ("FifoQueue", "FifoTopic")]
    return any(flag is not None and text(flag).lower() == "true" for flag in flags)


def _name(resource: Declared, deployment: Deployment, text: Callable[[Node], str]) -> str:
    given = resource.properties.get(_NAME_PROPERTIES.get(resource.type, ""))
    if given is not None:
        return text(given)
    logical_id = resource.logical_id
    if resource.type in _IN_LOWER_CASE:
        return deployment.physical_name(logical_id, length=_BUCKET_LENGTH).lower()
    if resource.type in (QUEUE, TOPIC):
        ending = ".fifo" if is_fifo(resource, text) else ""
        return deployment.physical_name(logical_id, length=_QUEUE_LENGTH, ending=ending)
    return deployment.physical_name(logical_id)


TYPES = frozenset({*_NAME_PROPERTIES, *_BUILDERS, MAPPING, "AWS::SNS::Subscription"})
"""The types of resources that matter here."""


@dataclass(frozen=True, slots=True)
class ImplicitIds:
    """Logical ids that stand in no template: SAM makes them from its own resources.

    https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-specification-generated-resources.html
    """

    resources: Mapping[str, Declared]

    def role(self, logical_id: str, deployment: Deployment) -> Identity | None:
        """The role that a function without one gets, called `<FunctionLogicalId>Role`."""
        function = self.resources.get(logical_id.removesuffix("Role"))
        if logical_id in self.resources or function is None or function.type != SAM_FUNCTION:
            return None
        return aws.role(deployment, deployment.physical_name(logical_id))

    def is_made_by_sam(self, logical_id: str) -> bool:
        """Whether it may be such a resource: an alias, a version, an API's stage, …"""
        if logical_id.startswith("Serverless"):
            return True
        owners = (r for r in self.resources.values() if r.type.startswith("AWS::Serverless::"))
        return logical_id not in self.resources and any(
            logical_id.startswith(owner.logical_id)
            and _MADE_BY_SAM.fullmatch(logical_id[len(owner.logical_id) :])
            for owner in owners
        )
