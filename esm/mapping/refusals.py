"""Why a mapping is refused: our lifelong codes in one table, with AWS's code for each."""

from __future__ import annotations

from dataclasses import dataclass

from esm.errors import MappingError, NotEmulated

_INVALID = "InvalidParameterValueException"


@dataclass(frozen=True, slots=True)
class Refusal:
    """One rule: `code` is AWS's, or None where no request with this could even be made."""

    esm_code: str
    code: str | None
    why: str

    def error(self, message: str, *, fix: str, detail: str | None = None) -> MappingError:
        """The error to raise; `message` is AWS's text where AWS's text is known."""
        return MappingError(
            self.esm_code, message, code=self.code, detail=detail, why=self.why, fix=fix
        )


WRONG_TYPE = Refusal("E201", "SerializationException", "AWS refuses it: the API converts nothing")
UNKNOWN_MEMBER = Refusal("E202", None, "AWS's API has no such member; the SDKs refuse it")

# AWS's framework, by pydantic's name for the error.
_FRAMEWORK = "ValidationException"
CONSTRAINTS = {
    "missing": Refusal("E203", _FRAMEWORK, "AWS refuses it: the property is required"),
    "greater_than_equal": Refusal("E204", _FRAMEWORK, "AWS refuses it: out of range"),
    "less_than_equal": Refusal("E204", _FRAMEWORK, "AWS refuses it: out of range"),
    "enum": Refusal("E205", _FRAMEWORK, "AWS refuses it: not one of its values"),
    "string_too_short": Refusal("E206", _FRAMEWORK, "AWS refuses it: too short"),
    "string_too_long": Refusal("E206", _FRAMEWORK, "AWS refuses it: too long"),
    "too_short": Refusal("E206", _FRAMEWORK, "AWS refuses it: too few"),
    "too_long": Refusal("E206", _FRAMEWORK, "AWS refuses it: too many"),
    "map": Refusal("E206", _FRAMEWORK, "AWS refuses it: a key or value is too short or too long"),
    "pattern": Refusal("E207", _FRAMEWORK, "AWS refuses it: wrong form"),
}

NO_SOURCE = Refusal("E210", _INVALID, "AWS refuses it: no ARN of a stream that Lambda can read")
NO_STARTING_POSITION = Refusal("E211", _INVALID, "AWS refuses it: a stream's mapping needs one")
POSITION_OF_SOURCE = Refusal("E212", _INVALID, "AWS refuses it: not for this kind of source")
NO_TIMESTAMP = Refusal("E213", _INVALID, "AWS refuses it: AT_TIMESTAMP needs a timestamp")
STRAY_TIMESTAMP = Refusal("E214", _INVALID, "AWS refuses it: a timestamp needs AT_TIMESTAMP")
FUTURE_TIMESTAMP = Refusal("E215", _INVALID, "AWS refuses it: no record can be there yet")
NEEDED_BY_KAFKA = Refusal("E216", _INVALID, "AWS refuses it: a mapping of Kafka needs it")
QUEUE_MODE = Refusal("E218", _INVALID, "AWS refuses it: Queue mode does not have it")
POLLERS = Refusal("E219", _INVALID, "AWS refuses it: not a number of pollers that Kafka can have")
UNSUPPORTED = Refusal("E220", _INVALID, "AWS refuses it: the property is for other sources")
ON_SUCCESS = Refusal("E221", _INVALID, "AWS refuses it: mappings of streams have OnFailure only")
RECORD_AGE = Refusal("E222", _INVALID, "AWS refuses it: 0 to 59 are not allowed")
LANES_AND_WINDOW = Refusal("E223", _INVALID, "AWS refuses it: a tumbling window has one lane")
FIFO_DESTINATION = Refusal("E224", _INVALID, "AWS refuses it: destinations are standard, not FIFO")
OTHER_DESTINATION = Refusal("E225", _INVALID, "AWS refuses it: streams fail to SQS, SNS or S3")
METRICS_OF_KAFKA = Refusal("E226", _INVALID, "AWS refuses it: that group is for Kafka")
PROVISIONED_ONLY = Refusal(
    "E227", _INVALID, "AWS refuses it: Kafka has it in provisioned mode only"
)
SCHEMA_REGISTRY = Refusal("E228", _INVALID, "AWS refuses it: not a schema registry it can use")
NOT_UPDATABLE = Refusal("E230", None, "AWS's UpdateEventSourceMapping has no such member")
ACCESS_OF_SOURCE = Refusal("E231", _INVALID, "AWS refuses it: not for this kind of source")
ACCESS_VALUE = Refusal("E232", _INVALID, "AWS refuses it: each type has values of its own")
ACCESS_TOGETHER = Refusal("E233", _INVALID, "AWS refuses it: these types do not go together")
SOURCE_TOPIC = Refusal("E234", _INVALID, "AWS refuses it: failures would be read again")
KAFKA_TIMEOUT = Refusal("E235", _INVALID, "AWS refuses it: Kafka's functions have 14 minutes")
DUPLICATE = Refusal(
    "E236", "ResourceConflictException", "AWS refuses it: the same function has it already"
)
KEY = Refusal("E237", _INVALID, "AWS refuses it: no key of KMS")
FILTER_PATTERN = Refusal("E250", _INVALID, "AWS refuses it: not a filter pattern")
FILTER_LEAF = Refusal("E251", _INVALID, "AWS refuses it: every leaf of a pattern is a list")
FILTER_COUNT = Refusal("E252", _INVALID, "AWS refuses it: 5 by default, 10 by quota")
FILTER_OPERATOR = Refusal(
    "E253", _INVALID, "AWS refuses it: Lambda's filters have no such operator"
)
FILTER_OTHER_KEY = Refusal("E254", None, "AWS accepts it, and the filter lets no record through")


def not_emulated(what: str, *, fix: str) -> NotEmulated:
    """AWS would take it; running without it would show something else than AWS does."""
    return NotEmulated(
        "E290", f"{what} is not emulated yet", why="not emulated: AWS accepts it", fix=fix
    )
