"""The provider `local`: shots handed to workers of one's own, and their pictures taken back. Nothing is ever sent."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flux2batch import money
from flux2batch.engine.events import (
    Accepted,
    Charge,
    Downloaded,
    Failed,
    Fetched,
    Frame,
    HandedBack,
    LinkExpired,
    NotSent,
    Polled,
    Rendered,
    StillWorking,
    Submitted,
    Ticket,
)
from flux2batch.money import Money
from flux2batch.planning.models.catalogue import Entry
from flux2batch.planning.models.parameters import request_fields
from flux2batch.planning.references.picture import Picture
from flux2batch.planning.shot import Shot
from flux2batch.providers.contract import Line, Prepared
from flux2batch.providers.local.request import (
    Drawing,
    Finished,
    Request,
    Returned,
    Undrawn,
    Waiting,
    Workers,
)

ORIGIN = "local"
_SCHEME = "local:"
_FREE = Charge(usd=money.ZERO, source="free", megapixels_in=None, megapixels_out=None)
_MEDIA_TYPES = {"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prepared(Prepared):
    """With the request itself: it does not leave the machine as bytes of HTTP."""

    request: Request


class _Queue:
    """The way to the workers: always open."""

    def close(self) -> None:
        """There is nothing to close."""


class Local:
    """Hands over, looks, takes back. What it knows ends with its process: a take of an earlier one is handed back."""

    name = "local"
    origin = ORIGIN

    def __init__(self, workers: Workers, *, entry: Callable[[str], Entry]) -> None:
        self._workers = workers
        self._entry = entry

    # What an engine of one's own has beyond a service.

    @property
    def at_once(self) -> int:
        """How many shots keep all workers busy."""
        return self._workers.at_once

    def check(self, models: Sequence[str]) -> None:
        """Raise what is wrong with the libraries or the weights, before anything is loaded."""
        self._workers.check(models)

    def make_ready(self, models: Sequence[str]) -> Sequence[str]:
        """Load the models; a line for people on each worker, the first time."""
        return self._workers.make_ready(models)

    def stop(self) -> None:
        """Draw no further step."""
        self._workers.stop()

    # The contract.

    def prepare(self, shot: Shot, pictures: Sequence[Picture]) -> Prepared:
        """The request, complete."""
        fields = request_fields(self._entry(shot.model), shot.params)
        guidance = fields.get("guidance_scale")
        request = Request(
            model=shot.model,
            prompt=shot.prompt,
            width=fields["width"],
            height=fields["height"],
            steps=fields["num_inference_steps"],
            guidance=None if guidance is None else float(guidance),
            seed=fields["seed"],
            references=tuple(_content(picture) for picture in pictures),
            output_format=fields["output_format"],
        )
        body = json.dumps({"prompt": shot.prompt, **fields}, default=str, ensure_ascii=False).encode("utf-8")
        return _Prepared(model=shot.model, path=shot.endpoint, body=body, shot_id=shot.id, request=request)

    def connect(self, prepared: Prepared) -> Line | NotSent:
        """Wait until a worker could begin. Raises MachineError or InvalidInput where none ever could."""
        self._workers.make_ready((prepared.model,))
        return _Queue()

    def send(self, line: Line, prepared: Prepared) -> Submitted:  # noqa: ARG002  # the contract's: other lines carry it
        """Hand over. It is taken on at once, and costs nothing."""
        assert isinstance(prepared, _Prepared), "BUG: a request that this provider did not prepare"
        task = secrets.token_hex(8)
        self._workers.hand_over(task, prepared.request)
        return Accepted(ticket=_ticket(task, prepared), charge=_FREE, evidence="answer")

    def poll(self, ticket: Ticket) -> Polled:
        """Where it is."""
        match self._workers.state(ticket.task_id):
            case None:
                return HandedBack(reason="the process that was to draw it has ended")
            case Returned():
                return HandedBack(reason="stopped before it was drawn")
            case Undrawn(reason=reason):
                return Failed(reason=reason, charge=_FREE)
            case Waiting(before=before):
                return _working("waiting", before, None)
            case Drawing(step=step, steps=steps):
                return _working("drawing", None, step / steps)
            case Finished(request=request, details=details):
                return _rendered(ticket, request, dict(details))

    def fetch(self, url: str) -> Downloaded:
        """The picture, once: whoever fetches it has it."""
        content = self._workers.take(url.removeprefix(_SCHEME))
        if content is None:
            return LinkExpired(reason="the process that drew it has ended")
        return Fetched(content=content, media_type=None, remark=None)

    def balance(self) -> Money | None:
        """There is no account."""
        return None

    def find(self, prepared: Prepared, *, since: datetime) -> tuple[Ticket, ...]:  # noqa: ARG002  # the contract's
        """Nothing outlives its process."""
        return ()

    def close(self) -> None:
        """Let go of the devices."""
        self._workers.close()


def _content(picture: Picture) -> bytes:
    assert picture.content is not None, "BUG: a reference that is a URL was planned for a local model"
    return picture.content


def _ticket(task: str, prepared: _Prepared) -> Ticket:
    return Ticket(
        provider=Local.name,
        model=prepared.model,
        endpoint=prepared.path,
        task_id=task,
        poll_url=_SCHEME + task,
        result_url=None,
        cancel_url=None,
    )


def _working(status: str, position: int | None, progress: float | None) -> StillWorking:
    return StillWorking(status=status, queue_position=position, progress=progress, wait_s=None, known=True)


def _rendered(ticket: Ticket, request: Request, details: dict[str, Any]) -> Rendered:
    frame = Frame(
        url=_SCHEME + ticket.task_id,
        width=request.width,
        height=request.height,
        media_type=_MEDIA_TYPES[request.output_format],
        nsfw=False,
    )
    return Rendered(frames=(frame,), expires_at=None, seed=request.seed, prompt=None, charge=_FREE, details=details)
