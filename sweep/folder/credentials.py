"""What the environment says about buckets: AWS_... variables, else a profile in the files that they name, else a machine's own role.

Keys in variables or in a profile are taken as they are. A profile that gets its keys elsewhere (`role_arn`, `credential_process`,
SSO) is left to boto3. Where there is neither, obstore asks what variables name (a web identity's token, a container's address),
and at last the machine's metadata service.

Nothing of it is ever handed on: a worker finds its own in its own environment.
"""

from __future__ import annotations

import configparser
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sweep.errors import RunError
from sweep.extras import EXTRA_OF, command

_OF_PROFILE = {
    "aws_access_key_id": "access_key_id",
    "aws_secret_access_key": "secret_access_key",
    "aws_session_token": "session_token",
    "region": "region",
    "endpoint_url": "endpoint_url",
}
_ELSEWHERE = ("role_arn", "credential_process", "sso_session", "sso_start_url", "web_identity_token_file")
"""Entries of a profile by which its keys are got."""
_REGION = ("AWS_REGION", "AWS_DEFAULT_REGION")
_ENDPOINT = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")


def options() -> Mapping[str, str]:
    """Options of an S3 store, as obstore names them; what the environment says by itself is left to obstore."""
    found = {ours: value for name, value in _profile().items() if (ours := _OF_PROFILE.get(name))}
    if "AWS_ACCESS_KEY_ID" in os.environ or provider_of_profile():
        found = {name: value for name, value in found.items() if name in ("region", "endpoint_url")}
    chosen = {"region": _REGION, "endpoint_url": _ENDPOINT}
    for name, variables in chosen.items():
        given = next((os.environ[variable] for variable in variables if os.environ.get(variable)), "")
        if given:
            found[name] = given
    if found.get("endpoint_url", "").startswith("http://"):  # whoever writes so knows that it is not encrypted
        found["allow_http"] = "true"
    return found


def provider_of_profile() -> str:
    """The entry by which the profile gets its keys elsewhere; empty where it does not, or variables hold some."""
    if "AWS_ACCESS_KEY_ID" in os.environ:
        return ""
    found = _profile()
    return "" if "aws_access_key_id" in found else next((name for name in _ELSEWHERE if name in found), "")


def provider() -> Callable[[], Any] | None:
    """What obstore asks for keys, again when they are old, where a profile gets them elsewhere. RunError where boto3 is missing,
    or has none."""
    entry = provider_of_profile()
    if not entry:
        return None
    try:
        import boto3
        from obstore.auth.boto3 import Boto3CredentialProvider
    except ModuleNotFoundError:
        raise RunError(
            f"the AWS profile {_name()!r} gets its credentials by {entry}, for which boto3 is needed: "
            f"{command(EXTRA_OF['boto3'])}"
        ) from None
    try:
        made: Callable[[], Any] = Boto3CredentialProvider(boto3.Session(profile_name=_name()))
        made()
    except Exception as error:  # its text may repeat what a helper printed
        raise RunError(
            f"the AWS profile {_name()!r} gives no credentials by its {entry} ({type(error).__name__}); "
            f"`aws sts get-caller-identity --profile {_name()}` says more"
        ) from None
    return made


def _name() -> str:
    return os.environ.get("AWS_PROFILE", "default")


def _profile() -> dict[str, str]:
    """The entries of the profile that AWS_PROFILE names, or of `default`."""
    name = _name()
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
            found |= {key: parser[section][key] for key in (*_OF_PROFILE, *_ELSEWHERE) if key in parser[section]}
    return found
