"""What boto3 finds in the environment while a guard is entered: no way to anybody's account.

A client that finds no credentials looks for them on the network, and one that finds a profile may
run a command or ask another service; both happen before any call that a guard could refuse.
"""

from __future__ import annotations

import os
import sys

DEFAULT_REGION = "us-east-1"
REGION_NAMES = ("AWS_REGION", "AWS_DEFAULT_REGION")  # Lambda has both, boto3 reads the second

# https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html
DUMMY_KEYS = {"AWS_ACCESS_KEY_ID": "esm", "AWS_SECRET_ACCESS_KEY": "esm"}
NO_FILES = {"AWS_SHARED_CREDENTIALS_FILE": os.devnull, "AWS_CONFIG_FILE": os.devnull}
NO_METADATA = {"AWS_EC2_METADATA_DISABLED": "true"}
OTHER_CREDENTIALS = {
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_BEARER_TOKEN_BEDROCK",
}
"""Variables that lead to credentials beside the two keys."""

_NAMES = {*DUMMY_KEYS, *NO_FILES, *NO_METADATA, *REGION_NAMES}


class Surroundings:
    """Stands in for credentials and a region that nobody has set; what somebody has set stays.

    Without keys in the environment there are dummy ones, and profiles and the default files are
    out of sight.
    """

    def __init__(self) -> None:
        self._users = 0
        self._ours: dict[str, str | None] = {}
        self._before: dict[str, str | None] = {}
        self._had_session = False

    def enter(self) -> None:
        """Somebody needs them."""
        self._users += 1
        if self._users == 1:
            present = set(os.environ)  # asking for a variable that is missing is slow
            self._ours = _stand_ins(present)
            self._before = {
                name: os.environ[name] if name in present else None for name in self._ours
            }
            self._had_session = _has_default_session()
            for name, value in self._ours.items():
                _set(name, value)

    def leave(self) -> None:
        """Somebody needs them no longer; with the last one all is as it was."""
        self._users -= 1
        self.put_back()

    def put_back(self) -> None:
        """Put back what nobody has changed meanwhile, unless somebody needs it still.

        Once more after a `monkeypatch` that was left later: it puts back what it found inside.
        """
        if self._users:
            return
        for name, ours in self._ours.items():
            if os.environ.get(name) == ours:
                _set(name, self._before[name])
        if self._ours.keys() >= DUMMY_KEYS.keys() and not self._had_session:
            _forget_default_session()


def _stand_ins(present: set[str]) -> dict[str, str | None]:
    """The variables to set, or to remove, in an environment that has these."""
    given = {name for name in present & _NAMES if os.environ[name]}
    region = next((os.environ[name] for name in REGION_NAMES if name in given), DEFAULT_REGION)
    wanted = NO_METADATA | dict.fromkeys(REGION_NAMES, region)
    hidden: set[str] = set()
    if given.isdisjoint(DUMMY_KEYS):
        wanted |= DUMMY_KEYS | NO_FILES
        hidden = present & OTHER_CREDENTIALS
    stand_ins = {name: value for name, value in wanted.items() if name not in given}
    return {**stand_ins, **dict.fromkeys(hidden)}


def _set(name: str, value: str | None) -> None:
    if value is None:
        del os.environ[name]
    else:
        os.environ[name] = value


def _has_default_session() -> bool:
    return getattr(sys.modules.get("boto3"), "DEFAULT_SESSION", None) is not None


def _forget_default_session() -> None:
    """boto3's default session keeps the credentials that it has found first."""
    if _has_default_session():
        vars(sys.modules["boto3"])["DEFAULT_SESSION"] = None


SURROUNDINGS = Surroundings()
"""The one of this process, as its environment is."""
