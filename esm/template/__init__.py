"""SAM and CloudFormation templates: functions, event source mappings and what they read and write.

`reading` makes nodes that know their place, `resolving` gives them values as they are asked for,
`loading` finds what concerns us. `checking` has every rule, for `esm validate`.
"""

from esm.template.aws import Deployment
from esm.template.loading import load
from esm.template.model import (
    Consumer,
    FunctionResource,
    MappingResource,
    Resource,
    SourceKind,
    StreamResource,
    Template,
)

__all__ = [
    "Consumer",
    "Deployment",
    "FunctionResource",
    "MappingResource",
    "Resource",
    "SourceKind",
    "StreamResource",
    "Template",
    "load",
]
