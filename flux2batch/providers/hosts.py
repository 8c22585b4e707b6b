"""Which host may be asked for what, and whether the key goes along: one function, used each time a URL is used.

| purpose | key | hosts | scheme | address | redirects |
|---|---|---|---|---|---|
| api | yes | the service's own API hosts | https on 443 | any | never |
| poll | yes | the same | https on 443 | any | never |
| download | never | any (known delivery hosts quietly) | https | public | up to 3, each judged again |
| reference that we look at | never | any, by name | https on 443 | public | up to 3, each judged again |

A reference is judged by planning/references/urls.py, which is all that is done with one that is only handed on.

A custom base URL (from the environment or the user's configuration, never from a job) opens its own origin. A base on
loopback is an emulator or a test: it opens loopback hosts on every port, over plain http, and nothing else.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal
from urllib.parse import SplitResult, urlsplit

Purpose = Literal["api", "download"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HostRules:
    """The hosts of one service."""

    service: str
    base_url: str
    api_hosts: re.Pattern[str]
    delivery_hosts: re.Pattern[str]

    @property
    def on_loopback(self) -> bool:
        """Whether everything goes to an emulator or a test server."""
        return is_loopback_host(urlsplit(self.base_url).hostname or "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """The URL may be asked. `public_only`: the address at the other end must be a public one."""

    with_key: bool
    public_only: bool
    remark: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Forbidden:
    """The URL may not be asked, and why."""

    reason: str


BFL = HostRules(
    service="bfl",
    base_url="https://api.bfl.ai",
    api_hosts=re.compile(r"api(\.[a-z0-9-]+)?\.bfl\.ai"),
    delivery_hosts=re.compile(r"(delivery([.-][a-z0-9-]+)*\.bfl\.ai|bfldelivery[a-z0-9]+\.blob\.core\.windows\.net)"),
)
FAL = HostRules(
    service="fal",
    base_url="https://queue.fal.run",
    api_hosts=re.compile(r"(queue\.fal\.run|queue\.falrun\.com|api\.fal\.ai)"),
    delivery_hosts=re.compile(r"(([a-z0-9-]+\.)?fal\.media)"),
)


def judge(url: str, *, purpose: Purpose, rules: HostRules) -> Allowed | Forbidden:
    """Whether this URL may be asked for this purpose under the service's rules, and with the key or without."""
    split = _split(url)
    if isinstance(split, Forbidden):
        return split
    host = split.hostname or ""
    match purpose:
        case "api":
            return _judge_api(split, host, rules)
        case "download":
            return _judge_download(split, host, rules)


_UNSAFE = re.compile(r"[\x00-\x20\x7f\\]")


def _split(url: str) -> SplitResult | Forbidden:
    if _UNSAFE.search(url):
        return Forbidden(reason="the URL holds a space, a backslash or a control character")
    try:
        split = urlsplit(url)
        port = split.port
    except ValueError:
        return Forbidden(reason="the URL cannot be read")
    if split.scheme not in ("http", "https"):
        return Forbidden(reason=f"{split.scheme or 'no scheme'} is not https")
    if not split.hostname:
        return Forbidden(reason="the URL names no host")
    if split.username is not None or split.password is not None or "@" in split.netloc:
        return Forbidden(reason="the URL carries a user name")
    if port == 0:
        return Forbidden(reason="port 0 is no port")
    return split


def _judge_api(split: SplitResult, host: str, rules: HostRules) -> Allowed | Forbidden:
    if rules.on_loopback:
        if is_loopback_host(host):
            return Allowed(with_key=True, public_only=False, remark=None)
        return Forbidden(reason=f"{host} is not on this machine, as the service's base URL is")
    if split.scheme != "https":
        return Forbidden(reason=f"the key of {rules.service} goes only over https")
    if _origin(split) == _origin(urlsplit(rules.base_url)):
        return Allowed(with_key=True, public_only=False, remark=None)
    if _port(split) == 443 and rules.api_hosts.fullmatch(host):
        return Allowed(with_key=True, public_only=False, remark=None)
    return Forbidden(reason=f"{split.netloc} is not an API host of {rules.service}")


def _judge_download(split: SplitResult, host: str, rules: HostRules) -> Allowed | Forbidden:
    if rules.on_loopback:
        if is_loopback_host(host):
            return Allowed(with_key=False, public_only=False, remark=None)
        return Forbidden(reason=f"{host} is not on this machine, as the service's base URL is")
    if split.scheme != "https":
        return Forbidden(reason="pictures are fetched only over https")
    known = rules.delivery_hosts.fullmatch(host) or rules.api_hosts.fullmatch(host)
    remark = None if known else f"the picture came from {host}, which is not a known delivery host"
    return Allowed(with_key=False, public_only=True, remark=remark)


def _port(split: SplitResult) -> int:
    return split.port or (443 if split.scheme == "https" else 80)


def _origin(split: SplitResult) -> tuple[str, str, int]:
    return split.scheme, (split.hostname or ""), _port(split)


@lru_cache(maxsize=256)  # asked at each use of each URL, and always of the same few
def is_loopback_host(host: str) -> bool:
    """Whether the name or address is this very machine, as written. Clever spellings of 127.0.0.1 are not."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


# Ranges that ipaddress calls global in some Python versions and that lead inside all the same: NAT64 and 6to4 can
# carry 127.0.0.1, and 192.0.0.192 is a cloud's metadata address.
_NOT_PUBLIC = tuple(
    ipaddress.ip_network(text)
    for text in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "192.0.0.0/24", "100.64.0.0/10")
)


def is_public_address(address: str) -> bool:
    """Whether a connected peer is out in the world."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    if any(ip in network for network in _NOT_PUBLIC if network.version == ip.version):
        return False
    return ip.is_global and not ip.is_multicast
