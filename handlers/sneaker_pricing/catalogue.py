"""The catalogue, whose prices this function sets."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from boto3.dynamodb.conditions import Attr
from botocore.exceptions import ClientError

from models import InferenceInput


def set_price(products: Any, known: InferenceInput, price: Decimal) -> bool:
    """Write a price unless the catalogue has that of the same input or of a newer one.

    Gives whether it was written. A sneaker that was taken out of the catalogue stays out of it.
    Nothing that is written depends on when: of an input, each delivery would write the same.
    """
    is_newer = Attr("price_version").not_exists() | Attr("price_version").lt(known.version)
    try:
        products.update_item(
            Key={"sku": known.sku},
            UpdateExpression="SET price = :price, price_version = :version, priced_as_of = :as_of",
            ConditionExpression=Attr("sku").exists() & is_newer,
            ExpressionAttributeValues={
                ":price": price,
                ":version": known.version,
                ":as_of": known.as_of.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            },
        )
    except ClientError as error:
        if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
            return False
        raise
    return True
