"""What the environment says about buckets: AWS_... variables, else a profile in the files that they name.

Nothing of it is ever handed on: a worker finds its own in its own environment.
"""

from __future__ import annotations

import configparser
import os
from collections.abc import Mapping
from pathlib import Path

_OF_PROFILE = {
    "aws_access_key_id": "access_key_id",
    "aws_secret_access_key": "secret_access_key",
    "aws_session_token": "session_token",
    "region": "region",
    "endpoint_url": "endpoint_url",
}
_REGION = ("AWS_REGION", "AWS_DEFAULT_REGION")
_ENDPOINT = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")


def options() -> Mapping[str, str]:
    """Options of an S3 store, as obstore names them; what the environment says by itself is left to obstore."""
    found = _profile()
    if "AWS_ACCESS_KEY_ID" in os.environ:
        found = {name: value for name, value in found.items() if name in ("region", "endpoint_url")}
    chosen = {"region": _REGION, "endpoint_url": _ENDPOINT}
    for name, variables in chosen.items():
        given = next((os.environ[variable] for variable in variables if os.environ.get(variable)), "")
        if given:
            found[name] = given
    if found.get("endpoint_url", "").startswith("http://"):  # whoever writes so knows that it is not encrypted
        found["allow_http"] = "true"
    return found


def _profile() -> dict[str, str]:
    """The entries of the profile that AWS_PROFILE names, or of `default`."""
    name = os.environ.get("AWS_PROFILE", "default")
    home = Path("~/.aws").expanduser()
    found: dict[str, str] = {}
    for variable, file, section in (
        ("AWS_CONFIG_FILE", "config", name if name == "default" else f"profile {name}"),
        ("AWS_SHARED_CREDENTIALS_FILE", "credentials", name),
    ):
        parser = configparser.RawConfigParser()
        try:
            parser.read(os.environ.get(variable) or home / file, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError):  # its text, which an error would show, may hold a secret
            continue
        if parser.has_section(section):
            found |= {ours: parser[section][key] for key, ours in _OF_PROFILE.items() if key in parser[section]}
    return found
