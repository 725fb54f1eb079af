"""C, the limit that everything is compared with: decode, build events, call a no-op.

A msgspec decoder for the wire's body, a fresh event dict per batch of 100, nothing else. No engine
that gives handlers fresh events from a stream can be faster.
"""

# ruff: noqa: D103, E501
import base64
import json
import time

import msgspec

N, BATCH = 20_000, 100


class Rec(msgspec.Struct, gc=False):
    SequenceNumber: str
    ApproximateArrivalTimestamp: float
    Data: str
    PartitionKey: str


class Out(msgspec.Struct, gc=False):
    Records: list[Rec]


def body(n=1000):
    data = base64.b64encode(b"x" * 200).decode()
    return json.dumps({"Records": [{"SequenceNumber": str(10 ** 55 + i), "ApproximateArrivalTimestamp": 1.7e9 + i, "Data": data,
                                    "PartitionKey": f"key-{i % 50}"} for i in range(n)]}, separators=(",", ":")).encode()


def noop(event, context):
    return None


def limit():
    b, dec, arn = body(), msgspec.json.Decoder(Out), "arn:aws:kinesis:us-east-1:123456789012:stream/s"
    t = time.process_time()
    for _ in range(N // 1000):
        rs = dec.decode(b).Records
        for i in range(0, len(rs), BATCH):
            noop({"Records": [{"kinesis": {"kinesisSchemaVersion": "1.0", "partitionKey": r.PartitionKey, "sequenceNumber": r.SequenceNumber,
                                           "data": r.Data, "approximateArrivalTimestamp": r.ApproximateArrivalTimestamp},
                               "eventSource": "aws:kinesis", "eventVersion": "1.0", "eventID": "shardId-000000000000:" + r.SequenceNumber,
                               "eventName": "aws:kinesis:record", "invokeIdentityArn": arn, "awsRegion": "us-east-1", "eventSourceARN": arn}
                              for r in rs[i:i + BATCH]]}, None)
    return (time.process_time() - t) / N * 1e6
