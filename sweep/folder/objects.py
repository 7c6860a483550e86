"""Requests to a bucket: each tried again while the store is busy or silent, with the errors of an operating system.

What a store says in its error texts is not passed on, for it may repeat credentials.
"""

from __future__ import annotations

import errno
import random
import re
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TypeVar

import obstore
from obstore import exceptions
from obstore.store import S3Store

from sweep.folder import credentials

T = TypeVar("T")
PATIENCE_SECONDS = 30.0
"""A store that is busy or silent is asked again for so long. A driver without its lease for 45 s must stop anyway."""
FIRST_SECONDS = 3.0
"""So long while it has never answered: the address is wrong, most likely."""
_FIRST_WAIT, _LONGEST_WAIT = 0.05, 5.0
_STATUS = re.compile(r"status code: (\d{3})([A-Za-z ]*)")
_CODE = re.compile(r"<Code>(\w+)</Code>")
_LARGE = 64 << 20
"""Bytes beyond which an object is sent in parts."""


class _Refused(Exception):
    """A condition of a request did not hold."""


class Objects:
    """The objects of a bucket by their keys."""

    def __init__(self, bucket: str) -> None:
        self.bucket = bucket
        self._answered = False
        self._store = S3Store(
            bucket,
            config=credentials.options(),  # type: ignore[arg-type]  # its own names of options
            credential_provider=credentials.provider(),
            client_options={"timeout": "60s", "connect_timeout": "5s"},
            retry_config={"max_retries": 0, "retry_timeout": timedelta(seconds=1)},
        )

    def get(self, key: str) -> bytes:
        """The content of an object."""
        return self._ask(key, lambda: bytes(obstore.get(self._store, key).bytes()))

    def part(self, key: str, start: int, end: int) -> bytes:
        """Bytes `start` to `end` of an object."""
        return self._ask(key, lambda: bytes(obstore.get_range(self._store, key, start=start, end=end)))

    def size(self, key: str) -> int:
        return int(self._ask(key, lambda: obstore.head(self._store, key))["size"])

    def version(self, key: str) -> str:
        """The tag of an object's content."""
        return self._ask(key, lambda: obstore.head(self._store, key))["e_tag"] or ""

    def put(self, key: str, data: bytes) -> None:
        """Make an object, or replace it."""
        self._ask(key, lambda: obstore.put(self._store, key, data, use_multipart=len(data) > _LARGE))

    def create(self, key: str, data: bytes) -> None:
        """Make an object; FileExistsError where there is one, unless it is this very one."""
        try:
            self._ask(key, lambda: obstore.put(self._store, key, data, mode="create"))
        except _Refused:  # perhaps by our own request, whose answer was lost
            if self.get(key) != data:
                raise FileExistsError(errno.EEXIST, "there is such an object", self._address(key)) from None

    def replace(self, key: str, data: bytes, version: str) -> None:
        """Replace an object that has this version still; FileExistsError where it has another."""
        try:
            self._ask(key, lambda: obstore.put(self._store, key, data, mode={"e_tag": version}))
        except _Refused:
            if self.get(key) != data:
                raise FileExistsError(errno.EEXIST, "the object is another by now", self._address(key)) from None

    def delete(self, key: str) -> None:
        """Remove an object, if it is there."""
        self._ask(key, lambda: obstore.delete(self._store, key))

    def below(self, prefix: str) -> Iterator[str]:
        """The keys of all objects whose keys begin so."""
        for batch in self._ask(prefix, lambda: list(obstore.list(self._store, prefix))):
            yield from (str(found["path"]) for found in batch)

    def names(self, prefix: str) -> list[str]:
        """What follows directly on a prefix: names of objects, and of what goes on with a slash."""
        found = self._ask(prefix, lambda: obstore.list_with_delimiter(self._store, prefix))
        keys = [*found["common_prefixes"], *(one["path"] for one in found["objects"])]
        return sorted(key.rstrip("/").rpartition("/")[2] for key in keys)

    def _address(self, key: str) -> str:
        return f"s3://{self.bucket}/{key}"

    def _ask(self, key: str, request: Callable[[], T]) -> T:
        """The answer to a request, which is made again while there is none; OSError says why there is none at last."""
        began, wait = time.monotonic(), _FIRST_WAIT
        while True:
            try:
                answer = request()
            except (exceptions.AlreadyExistsError, exceptions.PreconditionError, exceptions.NotModifiedError):
                self._answered = True
                raise _Refused from None
            except FileNotFoundError as error:
                self._answered = True
                if "NoSuchBucket" in str(error):
                    raise FileNotFoundError(errno.ENOENT, "there is no such bucket", f"s3://{self.bucket}") from None
                raise FileNotFoundError(errno.ENOENT, "there is no such object", self._address(key)) from None
            except (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError, PermissionError) as error:
                code = _CODE.search(str(error))
                why = f"the credentials are refused{f' ({code[1]})' if code else ''}"
                raise PermissionError(errno.EACCES, why, self._address(key)) from None
            except (exceptions.BaseError, OSError) as error:
                passes, why = _meaning(str(error))
                self._answered = self._answered or _STATUS.search(str(error)) is not None
                patience = PATIENCE_SECONDS if self._answered else FIRST_SECONDS
                if not passes or time.monotonic() - began > patience:
                    raise OSError(errno.EIO, f"the object store {why}", self._address(key)) from None
            else:
                self._answered = True
                return answer
            time.sleep(wait * random.uniform(0.5, 1.0))
            wait = min(2 * wait, _LONGEST_WAIT)


def _meaning(text: str) -> tuple[bool, str]:
    """Whether an error may pass by itself, and what it is in words that hold nothing of the request."""
    if "169.254.169.254" in text or "169.254.170" in text:  # where a machine of a cloud would tell its credentials
        return False, "is given no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
    status = _STATUS.search(text)
    if status is None:
        if "redirect" in text:
            return False, "has this bucket in another region: set AWS_REGION"
        return True, "does not answer"
    number, code = int(status[1]), _CODE.search(text)
    words = f"answers {number}{status[2].rstrip()}{f' ({code[1]})' if code else ''}"
    return number in (408, 409, 429) or number >= 500, words
