"""Where a template would be deployed, and the names and ARNs that its resources get there.

A resource without a name of its own is called `<stack>-<LogicalId>-` and a suffix that depends on
these two alone, so a template has the same names in every run.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-properties-name.html
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

_SUFFIX_LENGTH = 12
_REDSHIFT_PORT = "5439"
_STREAM_LABEL = "2026-01-01T00:00:00.000"  # of every table's stream: nothing depends on it
CONSUMER_CREATED = "1767225600"
"""Epoch seconds of the same instant, in every consumer's ARN."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """Account, region and stack that a template is resolved for."""

    account: str = "123456789012"
    region: str = "us-east-1"
    stack: str = "sam-app"

    @property
    def partition(self) -> str:
        """`aws`, or what China and the government have."""
        if self.region.startswith("cn-"):
            return "aws-cn"
        return "aws-us-gov" if self.region.startswith("us-gov-") else "aws"

    @property
    def url_suffix(self) -> str:
        """The domain of AWS's endpoints."""
        return "amazonaws.com.cn" if self.partition == "aws-cn" else "amazonaws.com"

    @property
    def pseudo_parameters(self) -> Mapping[str, str]:
        """What `Ref` gives for `AWS::Region` and its like."""
        return {
            "AWS::AccountId": self.account,
            "AWS::Partition": self.partition,
            "AWS::Region": self.region,
            "AWS::StackId": self.arn("cloudformation", f"stack/{self.stack}/{self.suffix('')}"),
            "AWS::StackName": self.stack,
            "AWS::URLSuffix": self.url_suffix,
        }

    def arn(self, service: str, resource: str) -> str:
        """An ARN in this account and region."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"

    def global_arn(self, service: str, resource: str, account: str = "") -> str:
        """An ARN of a service without regions."""
        return f"arn:{self.partition}:{service}::{account}:{resource}"

    def suffix(self, logical_id: str) -> str:
        """Twelve characters that depend on stack and logical id."""
        digest = hashlib.sha256(f"{self.stack}/{logical_id}".encode()).digest()
        return base64.b32encode(digest).decode()[:_SUFFIX_LENGTH]

    def own_id(self, name: str) -> str:
        """A UUID that depends on stack and name."""
        digest = hashlib.sha256(f"{self.stack}/{name}".encode()).digest()
        return str(UUID(bytes=digest[:16], version=4))

    def physical_name(self, logical_id: str, *, length: int = 64, ending: str = "") -> str:
        """A name for what has none, no longer than AWS lets it be."""
        tail = f"-{self.suffix(logical_id)}{ending}"
        return f"{self.stack}-{logical_id}"[: length - len(tail)] + tail


@dataclass(frozen=True, slots=True)
class Identity:
    """What the rest of a template can learn about a resource: `Ref`, and `Fn::GetAtt`."""

    name: str
    ref: str
    attributes: Mapping[str, str]

    @property
    def arn(self) -> str:
        """The attribute that every resource with an ARN has."""
        return self.attributes["Arn"]


def _named(name: str, arn: str, **more: str) -> Identity:
    return Identity(name, name, {"Arn": arn, **more})


def stream(at: Deployment, name: str) -> Identity:
    """A Kinesis stream."""
    return _named(name, at.arn("kinesis", f"stream/{name}"))


def consumer(name: str, stream_arn: str) -> Identity:
    """A registered consumer of a stream; its `Ref` is its ARN."""
    arn = f"{stream_arn}/consumer/{name}:{CONSUMER_CREATED}"
    attributes = {"ConsumerARN": arn, "ConsumerName": name, "StreamARN": stream_arn}
    return Identity(
        name,
        arn,
        attributes | {"ConsumerStatus": "ACTIVE", "ConsumerCreationTimestamp": CONSUMER_CREATED},
    )


def table(at: Deployment, name: str, *, has_stream: bool) -> Identity:
    """A DynamoDB table; only one that has a stream has a StreamArn."""
    arn = at.arn("dynamodb", f"table/{name}")
    more = {"StreamArn": f"{arn}/stream/{_STREAM_LABEL}"} if has_stream else {}
    return _named(name, arn, **more)


def topic(at: Deployment, name: str) -> Identity:
    """An SNS topic; its `Ref` is its ARN."""
    arn = at.arn("sns", name)
    return Identity(name, arn, {"Arn": arn, "TopicArn": arn, "TopicName": name})


def queue(at: Deployment, name: str) -> Identity:
    """An SQS queue; its `Ref` is its URL."""
    url = f"https://sqs.{at.region}.{at.url_suffix}/{at.account}/{name}"
    attributes = {"Arn": at.arn("sqs", name), "QueueName": name, "QueueUrl": url}
    return Identity(name, url, attributes)


def bucket(at: Deployment, name: str) -> Identity:
    """An S3 bucket."""
    return _named(
        name,
        at.global_arn("s3", name),
        DomainName=f"{name}.s3.{at.url_suffix}",
        RegionalDomainName=f"{name}.s3.{at.region}.{at.url_suffix}",
        DualStackDomainName=f"{name}.s3.dualstack.{at.region}.{at.url_suffix}",
        WebsiteURL=f"http://{name}.s3-website-{at.region}.{at.url_suffix}",
    )


def function(at: Deployment, name: str) -> Identity:
    """A Lambda function."""
    return _named(name, at.arn("lambda", f"function:{name}"))


def endpoint(at: Deployment, name: str) -> Identity:
    """A SageMaker endpoint; its `Ref` is its ARN, in which names are in lower case."""
    arn = at.arn("sagemaker", f"endpoint/{name.lower()}")
    return Identity(name, arn, {"Arn": arn, "EndpointName": name})


def endpoint_config(at: Deployment, name: str) -> Identity:
    """What an endpoint serves; its `Ref` is its ARN."""
    arn = at.arn("sagemaker", f"endpoint-config/{name.lower()}")
    return Identity(name, arn, {"EndpointConfigName": name})


def model(at: Deployment, name: str) -> Identity:
    """A SageMaker model; its `Ref` is its ARN."""
    return Identity(name, at.arn("sagemaker", f"model/{name.lower()}"), {"ModelName": name})


def warehouse(at: Deployment, name: str) -> Identity:
    """A Redshift cluster."""
    host = f"{name}.{at.suffix(name).lower()}.{at.region}.redshift.{at.url_suffix}"
    return _named(
        name,
        at.arn("redshift", f"cluster:{name}"),
        **{"Endpoint.Address": host, "Endpoint.Port": _REDSHIFT_PORT},
    )


def workgroup(at: Deployment, name: str) -> Identity:
    """A workgroup of Redshift Serverless."""
    own_id = at.own_id(name)
    arn = at.arn("redshift-serverless", f"workgroup/{own_id}")
    host = f"{name}.{at.account}.{at.region}.redshift-serverless.{at.url_suffix}"
    attributes = {
        "Arn": arn,
        "Workgroup.WorkgroupArn": arn,
        "Workgroup.WorkgroupId": own_id,
        "Workgroup.WorkgroupName": name,
        "Workgroup.Endpoint.Address": host,
        "Workgroup.Endpoint.Port": _REDSHIFT_PORT,
    }
    return Identity(name, name, attributes)


def namespace(at: Deployment, name: str) -> Identity:
    """A namespace of Redshift Serverless."""
    own_id = at.own_id(name)
    arn = at.arn("redshift-serverless", f"namespace/{own_id}")
    attributes = {
        "Namespace.NamespaceArn": arn,
        "Namespace.NamespaceId": own_id,
        "Namespace.NamespaceName": name,
    }
    return Identity(name, name, attributes)


def role(at: Deployment, name: str) -> Identity:
    """An IAM role."""
    return _named(name, at.global_arn("iam", f"role/{name}", at.account))


def key(at: Deployment, name: str) -> Identity:
    """A KMS key."""
    return Identity(name, name, {"Arn": at.arn("kms", f"key/{name}"), "KeyId": name})


def cluster(at: Deployment, name: str) -> Identity:
    """An MSK cluster; its `Ref` is its ARN."""
    arn = at.arn("kafka", f"cluster/{name}/00000000-0000-0000-0000-000000000000-1")
    return Identity(name, arn, {"Arn": arn})


def secret(at: Deployment, name: str) -> Identity:
    """A secret; its `Ref` is its ARN."""
    arn = at.arn("secretsmanager", f"secret:{name}")
    return Identity(name, arn, {"Id": arn})
