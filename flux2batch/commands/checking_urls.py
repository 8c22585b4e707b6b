"""What `--check-urls` asks the network: each https reference, by the rules for hosts and without a key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


def check_urls_option(function: Decorated) -> Decorated:
    """--check-urls."""
    return click.option("--check-urls", is_flag=True, help="Fetch https references and check them.")(function)


def fetch_picture(url: str, proxy: str | None) -> bytes | str:
    """The bytes behind a URL, or in words why there are none."""
    from flux2batch.engine.events import Fetched
    from flux2batch.providers.wire import fetch_reference

    outcome = fetch_reference(url, proxy=proxy)
    return outcome.content if isinstance(outcome, Fetched) else outcome.reason
