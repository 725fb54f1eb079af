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
UNSUPPORTED = Refusal("E220", _INVALID, "AWS refuses it: the property is for other sources")
ON_SUCCESS = Refusal("E221", _INVALID, "AWS refuses it: streams have OnFailure only")
RECORD_AGE = Refusal("E222", _INVALID, "AWS refuses it: 0 to 59 are not allowed")
LANES_AND_WINDOW = Refusal("E223", _INVALID, "AWS refuses it: a tumbling window has one lane")
FIFO_DESTINATION = Refusal("E224", _INVALID, "AWS refuses it: destinations are standard, not FIFO")
OTHER_DESTINATION = Refusal("E225", _INVALID, "AWS refuses it: streams fail to SQS, SNS or S3")
METRICS_OF_KAFKA = Refusal("E226", _INVALID, "AWS refuses it: that group is for Kafka")
NOT_UPDATABLE = Refusal("E230", None, "AWS's UpdateEventSourceMapping has no such member")
FILTER_PATTERN = Refusal("E250", _INVALID, "AWS refuses it: not a filter pattern")
FILTER_COUNT = Refusal("E252", _INVALID, "AWS refuses it: a mapping has at most 5 filters")


def not_emulated(what: str, *, fix: str) -> NotEmulated:
    """AWS would take it; running without it would show something else than AWS does."""
    return NotEmulated(
        "E290", f"{what} not emulated yet", why="not emulated: AWS accepts it", fix=fix
    )
