"""Event source mappings: AWS's properties, defaults and limits, refused in AWS's words and order.

`properties` is the table of every property, `constraints` what AWS checks of one member, `rules`
what it checks of the whole request, `refusals` the codes. Importing this imports pydantic.
"""

from esm.mapping.about import Group
from esm.mapping.faults import Fault, FilterTerms
from esm.mapping.members import FunctionResponseType, StartingPosition
from esm.mapping.policies import policy, start_position
from esm.mapping.properties import PROPERTIES, EventSourceMapping, Property
from esm.mapping.requests import create, every_fault, updated

__all__ = [
    "PROPERTIES",
    "EventSourceMapping",
    "Fault",
    "FilterTerms",
    "FunctionResponseType",
    "Group",
    "Property",
    "StartingPosition",
    "create",
    "every_fault",
    "policy",
    "start_position",
    "updated",
]
