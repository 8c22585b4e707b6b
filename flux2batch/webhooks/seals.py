"""The address and the secret of each take, derived from one key that never leaves the user's state folder.

Nothing has to be remembered for a call to be recognised, by this process or a later one: what the path names is
sealed by the key. It does not lie in the run directory, which may be copied, handed on, or come from somebody else.
"""

from __future__ import annotations

import hmac
import os
import re
import secrets
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from flux2batch.durable import sync_file, sync_folder
from flux2batch.errors import MachineError
from flux2batch.planning.shot import ShotId
from flux2batch.private_files import private_folder
from flux2batch.providers.contract import Hook
from flux2batch.secret import Secret

KEY_FILE = "webhooks.key"
_KEY = re.compile(rb"[0-9a-f]{64}\n")
_PLACE = re.compile(
    r"(?P<service>[a-z][a-z0-9_]{0,31})-(?P<shot>[0-9a-f]{32})-(?P<take>[1-9][0-9]{0,5})-(?P<seal>[0-9a-f]{32})"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """The take that a path names."""

    service: str
    shot: ShotId
    take: int


class Seals:
    """Makes and recognises the addresses of one run directory."""

    def __init__(self, key: bytes, *, run_directory_id: str, base_url: str) -> None:
        self._key = key
        self._run_directory_id = run_directory_id
        self._base_url = base_url.rstrip("/")

    def __repr__(self) -> str:
        return f"<Seals under {self._base_url}>"

    def hook(self, address: Address) -> Hook:
        """Where the service is to call about this take, and the secret that it is to say."""
        seal = self._derived("path", address)[:32]
        place = f"{address.service}-{address.shot}-{address.take}-{seal}"
        return Hook(
            url=f"{self._base_url}/{place}",
            seal=Secret(seal),
            secret=Secret(self._derived("secret", address)),
        )

    def read(self, path: str) -> Address | None:
        """The take that a path names; None where it is not one of ours. A proxy may have changed what stands before."""
        found = _PLACE.fullmatch(path.partition("?")[0].rpartition("/")[2])
        if found is None:
            return None
        address = Address(service=found["service"], shot=ShotId(found["shot"]), take=int(found["take"]))
        expected = self._derived("path", address)[:32]
        return address if hmac.compare_digest(expected, found["seal"]) else None

    def _derived(self, what: str, address: Address) -> str:
        named = f"{what} {self._run_directory_id} {address.service} {address.shot} {address.take}"
        return hmac.digest(self._key, named.encode(), "sha256").hex()


def key_in(state_folder: Path) -> bytes:
    """The user's key, made at its first use. Raises MachineError where it cannot be kept to its owner.

    A key that is gone or cannot be read is made anew: calls about older takes are strangers then, and those are polled.
    """
    file = state_folder / KEY_FILE
    try:
        private_folder(state_folder)
        with suppress(FileNotFoundError):
            if _KEY.fullmatch(known := file.read_bytes()):
                file.chmod(0o600)
                return bytes.fromhex(known.decode())
            file.unlink()
        return _made(file)
    except OSError as error:
        raise MachineError(f"{file} cannot be written: {(error.strerror or str(error)).lower()}.") from error


def _made(file: Path) -> bytes:
    key = secrets.token_bytes(32)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(key.hex().encode() + b"\n")
        opened.flush()
        sync_file(opened.fileno())
    sync_folder(file.parent)
    return key
