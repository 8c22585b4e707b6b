"""Judge an https reference by its text alone: it is handed on to a service and never fetched by a plan."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from flux2batch.planning.files.folder import FileFault

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
# The forms that resolvers take for an address: 2130706433, 0x7f.1, 0177.0.0.1, 127.1, and every IPv6.
_NUMBERED = re.compile(r"(0[xX][0-9a-fA-F]*|[0-9]+)(\.(0[xX][0-9a-fA-F]*|[0-9]+))*\.?|.*:.*")
_NAME = re.compile(r"[A-Za-z0-9_](-*[A-Za-z0-9_])*(\.[A-Za-z0-9_](-*[A-Za-z0-9_])*)+\.?")
_PRIVATE = (".local", ".localhost", ".internal", ".intranet", ".lan", ".home", ".corp", ".home.arpa", ".onion")
_MAX_LENGTH = 2000

_PUBLIC = "give an https address that anyone can open, or save the picture in the job's folder"


def is_url(text: str) -> bool:
    """Whether it is written as a URL and not as a path. One letter and a colon is a drive; `file:` is a path."""
    return _SCHEME.match(text) is not None and not text.lower().startswith("file:")


def judge_url(url: str) -> FileFault | None:
    """Why the URL is not handed on, or None."""
    scheme = url.partition(":")[0].lower()
    if scheme == "http":
        return _unsafe(f"'{shown(url)}' is http, which anyone on the way can read and change", "write https://")
    if scheme == "data":
        return _malformed("a picture inside the job file is not taken", "save it beside the job and name that file")
    if scheme != "https":
        return _malformed(f"'{shown(url)}' is not an https URL", _PUBLIC)
    if len(url) > _MAX_LENGTH or any(not "!" <= character <= "~" or character in '"<>\\^`{|}' for character in url):
        return _malformed(
            f"'{shown(url)}' is no valid URL", "write spaces and letters beyond ASCII as %20 and the like"
        )
    try:
        split = urlsplit(url)
        host, port = split.hostname, split.port
    except ValueError:
        return _malformed(f"'{shown(url)}' is no valid URL", None)
    if not url[len("https:") :].startswith("//") or not host:
        return _malformed(f"'{shown(url)}' names no host", None)

    if "@" in split.netloc:
        return _unsafe("a reference URL carries a user name or password", "leave out what stands before the '@'")
    if port not in (None, 443):
        return _unsafe(f"'{shown(url)}' names port {port}, not the port of https", _PUBLIC)
    if _NUMBERED.fullmatch(host):
        return _unsafe(f"'{shown(url)}' names an address and not a host", _PUBLIC)
    if not _NAME.fullmatch(host) or host.rstrip(".").endswith(_PRIVATE):
        return _unsafe(f"'{shown(url)}' names a host that is not public", _PUBLIC)
    return None


def shown(url: str) -> str:
    """Without user name and without what may be a signature."""
    head, _, rest = url.partition("://")
    rest = rest.partition("?")[0].partition("#")[0]
    host, slash, path = rest.partition("/")
    text = f"{head}://{host.rpartition('@')[2]}{slash}{path}" if rest else head
    return text if len(text) <= 100 else text[:99] + "…"


def _unsafe(message: str, help: str) -> FileFault:
    return FileFault(code="FB703", message=message, help=help)


def _malformed(message: str, help: str | None) -> FileFault:
    return FileFault(code="FB408", message=message, help=help)
