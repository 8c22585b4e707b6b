"""What is said about webhooks: where a run listens before it, and what came of it after."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from flux2batch.commands.console import Part, counted, styled

if TYPE_CHECKING:
    from flux2batch.running.webhooks import Calls, Webhook


def before(webhook: Webhook | None) -> Iterator[Sequence[Part]]:
    """Where calls are expected, and who can reach that."""
    if webhook is None:
        return
    from flux2batch.providers.hosts import is_loopback_host

    yield ("  calls ", webhook.url, styled(f"  heard on {webhook.host}:{webhook.port}", "dim"))
    if not is_loopback_host(webhook.host):
        yield (styled("  other machines can reach that address", "yellow"),)


def after(calls: Calls | None) -> Iterator[Sequence[Part]]:
    """Whether the calls came. One that never does costs time alone: the services were asked."""
    if calls is None:
        return
    if calls.taken:
        yield (styled(f"  {counted(calls.taken, 'call')} came", "dim"),)
    else:
        yield (
            styled(
                "  No call came: does --webhook lead to --webhook-listen? The services were asked instead.", "yellow"
            ),
        )
    for reason, number in calls.refused.most_common():
        yield (styled(f"  {counted(number, 'call')} refused: {reason}", "yellow"),)
