"""One picture, now: the Python client for people who do not want a job file.

    client = flux2batch.Client("bfl/flux-2-pro")
    result = client.generate("a paper boat", images=["boat.jpg"], seed=7)
    result.images[0].save("boat.png")
    print(result.cost, result.seed, result.task_id)

The same catalogue, the same checks and the same providers as a run, and the same first promise: a request is sent a
second time only when the first provably never arrived or was definitely refused for now.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self, assert_never

from flux2batch.client_call import Call, read_call
from flux2batch.client_limits import Allowance
from flux2batch.client_patience import Patience
from flux2batch.client_result import Result as Result
from flux2batch.client_result import ResultImage as ResultImage
from flux2batch.engine.events import (
    Accepted,
    AccountRefused,
    Charge,
    DownloadFailed,
    Failed,
    Fetched,
    Frame,
    HandedBack,
    LinkExpired,
    Moderated,
    NotSent,
    PollFailed,
    Rejected,
    Rendered,
    StillWorking,
    Submitted,
    Throttled,
    Ticket,
    Unanswered,
    Vanished,
)
from flux2batch.engine.policy import LINK_EXPIRED, NOT_YET_S
from flux2batch.errors import (
    AccountError,
    AnswerLost,
    DeadlineExceeded,
    GenerationFailed,
    InvalidInput,
    MachineError,
    PictureLost,
    PictureModerated,
    RequestRejected,
    UsageError,
)
from flux2batch.money import ZERO, Money, show
from flux2batch.planning.configuration import Configuration, load_configuration, model_fault
from flux2batch.planning.configuration_file import is_loopback, read_value
from flux2batch.planning.keys import KEY_NAMES, Key, find_keys, key_fault
from flux2batch.planning.models.parameters import check_model
from flux2batch.planning.shot import Quote
from flux2batch.providers import registry
from flux2batch.providers.contract import Prepared
from flux2batch.reading.problems import error
from flux2batch.secret import Secret

_TIMEOUT_S = 300.0


class Client:
    """Pictures of one model. Safe to share between threads; a context manager that closes its connections.

    The key comes from `api_key`, the environment or `.env` here; the service's address from `base_url`, the environment
    or the user's configuration; `config` names another configuration file. `timeout` is the time of one call in
    seconds: it is looked at between requests, and a submit is given two minutes of its own to be answered, because a
    picture whose answer is lost is paid for all the same.
    """

    def __init__(
        self,
        model: str,
        *,
        api_key: str | Secret | None = None,
        base_url: str | None = None,
        timeout: float = _TIMEOUT_S,
        config: str | os.PathLike[str] | Configuration | None = None,
    ) -> None:
        self._configuration = _configuration(config)
        fault = check_model(model, self._configuration.models) or model_fault(self._configuration, model)
        if fault:
            raise InvalidInput([error(fault.code, fault.message, where=None, steps=("model",), help=fault.help)])
        entry = self._configuration.entry(model)
        assert entry is not None, "BUG: a model that was found is gone"
        self._entry = entry
        self._timeout = _seconds(timeout)
        self.model = model
        self._provider = registry.make(
            entry.provider,
            self._configuration,
            base_url=_base_url(entry.provider, base_url),
            key=_key(entry.provider, api_key),
        )

    def __repr__(self) -> str:
        return f"<Client {self.model} at {self._provider.origin}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connections."""
        self._provider.close()

    def quote(self, prompt: str | Mapping[str, Any], *, images: Any = (), **params: Any) -> Quote | None:
        """What such a call costs, least and most, without sending anything; None where the price is not known."""
        return read_call(self._entry, prompt, images, params, self._configuration).shot.quote

    def generate(
        self, prompt: str | Mapping[str, Any], *, images: Any = (), timeout: float | None = None, **params: Any
    ) -> Result:
        """Make a picture and wait for it.

        `images` are references: paths, https URLs, bytes, base64, data URIs, open files, images of Pillow, or one of
        them alone. `params` are the parameters of a job file (`flux2batch models` lists them). What is wrong with them
        raises InvalidInput before anything is sent; what else can happen is drawn in flux2batch/errors.py.
        """
        call = read_call(self._entry, prompt, images, params, self._configuration)
        patience = Patience(self._timeout if timeout is None else _seconds(timeout))
        is_free = is_loopback(self._provider.origin)
        with Allowance(self._configuration.limits, call.shot.quote, is_free=is_free) as allowance:
            accepted = self._submit(call, patience)
            result = self._collect(accepted.ticket, accepted.charge, call, patience)
            allowance.settle(result.cost)
            return result

    def collect(self, ticket: Ticket | Mapping[str, Any], *, timeout: float | None = None) -> Result:
        """The picture of an earlier call, by the ticket that its DeadlineExceeded carries. Nothing is bought."""
        known = ticket if isinstance(ticket, Ticket) else Ticket(**ticket)
        if known.provider != self._entry.provider:
            raise UsageError(f"This ticket is of {known.provider}, and this client speaks to {self._entry.provider}.")
        patience = Patience(self._timeout if timeout is None else _seconds(timeout))
        return self._collect(known, None, None, patience)

    # Sending.

    def _submit(self, call: Call, patience: Patience) -> Accepted:
        prepared = self._provider.prepare(call.shot, call.pictures)
        submitted = patience.until_settled(lambda: self._send_once(prepared))
        name = self._provider.name
        match submitted:
            case Accepted():
                return submitted
            case NotSent(reason=reason):
                raise MachineError(f"{name} could not be reached: {reason}. Nothing was sent, and nothing is charged.")
            case Throttled(reason=reason):
                raise DeadlineExceeded(
                    f"{name} took no further picture in the time of this call: {reason}. Nothing is charged."
                )
            case AccountRefused(status=status, reason=reason):
                raise AccountError(_refused(name, status, reason))
            case Rejected(status=status, reason=reason, parameters=parameters):
                raise RequestRejected(
                    f"{name} refused the request ({status}): {reason}", status=status, parameters=parameters
                )
            case Unanswered(reason=reason):
                most = call.shot.quote.max if call.shot.quote else None
                raise AnswerLost(
                    f"The request was sent to {name} and its answer is lost: {reason}. It may be drawn and charged "
                    f"({f'{show(most)} at most' if most is not None else 'the price is not known'}); it was not sent "
                    "again. Look at the account before you ask again.",
                    possible_cost=most,
                )
            case _:
                assert_never(submitted)

    def _send_once(self, prepared: Prepared) -> Submitted:
        line = self._provider.connect(prepared)
        if isinstance(line, NotSent):
            return line
        try:
            return self._provider.send(line, prepared)
        except (KeyboardInterrupt, SystemExit) as stopped:
            stopped.add_note(f"The request to {self._provider.name} was on its way: it may be drawn and charged.")
            raise

    # Waiting and fetching: free to repeat.

    def _collect(self, ticket: Ticket, charge: Charge | None, call: Call | None, patience: Patience) -> Result:
        try:
            return self._collected(ticket, charge, call, patience)
        except (KeyboardInterrupt, SystemExit) as stopped:
            stopped.add_note(f"{ticket.provider} is drawing task {ticket.task_id}: Client.collect({ticket!r})")
            raise

    def _collected(self, ticket: Ticket, charge: Charge | None, call: Call | None, patience: Patience) -> Result:
        images: dict[int, ResultImage] = {}
        remarks = list(call.remarks) if call else []
        stale = 0
        while True:
            rendered = self._wait(ticket, charge, patience)
            charge = rendered.charge or charge
            why = self._download(rendered, images, remarks, call, patience)
            if why is None:
                break
            if patience.is_spent:
                raise _late(ticket, charge, why)
            stale += 1  # a fresh link is asked for by polling again
            patience.rest(LINK_EXPIRED.wait_s(stale))
        return _result(ticket, charge, rendered, call, images, remarks)

    def _wait(self, ticket: Ticket, charge: Charge | None, patience: Patience) -> Rendered:
        believed = Patience(NOT_YET_S)

        def look() -> Any:
            polled = self._provider.poll(ticket)
            if isinstance(polled, Vanished) and not believed.is_spent:
                # Another region may not have heard of the task yet.
                return StillWorking(status="not found", queue_position=None, progress=None, wait_s=2.0, known=False)
            return polled

        polled = patience.until_settled(look)
        name = ticket.provider
        match polled:
            case Rendered():
                return polled
            case Moderated(stage=stage, reasons=reasons, charge=settled):
                raise _moderated(ticket, stage, reasons, _usd(settled or charge))
            case HandedBack(reason=reason):
                raise GenerationFailed(f"{name} gave the picture back undrawn: {reason}", cost=ZERO, ticket=ticket)
            case Failed(reason=reason, charge=settled):
                raise GenerationFailed(
                    f"{name} could not draw the picture: {reason}", cost=_usd(settled or charge), ticket=ticket
                )
            case Vanished(reason=reason):
                raise PictureLost(
                    f"{name} took the request and now says: {reason} (task {ticket.task_id}). It may be charged.",
                    cost=_usd(charge),
                    ticket=ticket,
                )
            case AccountRefused(status=status, reason=reason):
                raise AccountError(_refused(name, status, reason), ticket=ticket)
            case StillWorking(status=status):
                raise _late(ticket, charge, f"its status is {status}")
            case PollFailed(reason=reason):
                raise _late(ticket, charge, reason)
        raise AssertionError(f"BUG: {type(polled).__name__} is no answer to a poll")

    def _download(
        self,
        rendered: Rendered,
        images: dict[int, ResultImage],
        remarks: list[str],
        call: Call | None,
        patience: Patience,
    ) -> str | None:
        """Fetch what is not yet there; why it did not come, or None when all of it is."""
        for number, frame in enumerate(rendered.frames):
            if number in images:
                continue
            fetched = patience.until_settled(lambda url=frame.url: self._provider.fetch(url))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
            match fetched:
                case Fetched(content=content, remark=remark):
                    came = _checked(content, frame, call)
                    if isinstance(came, str):
                        return came
                    images[number], odd = came
                    remarks += [said for said in (remark, odd) if said]
                case LinkExpired(reason=reason) | DownloadFailed(reason=reason):
                    return str(reason)
        return None


def _checked(content: bytes, frame: Frame, call: Call | None) -> tuple[ResultImage, str | None] | str:
    """The picture and what is odd about it, or why it is none."""
    from flux2batch.pictures.checking import Flaw, check

    params: Mapping[str, Any] = call.shot.params if call else {}
    size = (params["width"], params["height"]) if call else None
    seen = check(content, asked_format=params.get("output_format", "png"), asked_size=size)
    if isinstance(seen, Flaw):
        return f"what came is no picture: {seen.reason}"
    image = ResultImage(
        content=seen.content, media_type=seen.media_type, width=seen.width, height=seen.height, nsfw=frame.nsfw
    )
    return image, seen.remark if call else None


def _result(
    ticket: Ticket,
    charge: Charge | None,
    rendered: Rendered,
    call: Call | None,
    images: Mapping[int, ResultImage],
    remarks: list[str],
) -> Result:
    made = tuple(images[number] for number in sorted(images))
    if all(image.nsfw and image.is_black for image in made):
        raise _moderated(ticket, "content", ("flagged by the safety checker, and black",), _usd(charge))
    flagged = [str(number) for number, image in enumerate(made, start=1) if image.nsfw]
    if flagged:
        remarks.append(f"flagged by the service's safety checker: picture {', '.join(flagged)}")
    return Result(
        images=made,
        cost=_usd(charge),
        quote=call.shot.quote if call else None,
        model=ticket.model,
        seed=rendered.seed if rendered.seed is not None else call.shot.params.get("seed") if call else None,
        prompt=rendered.prompt or (call.shot.prompt if call else None),
        task_id=ticket.task_id,
        ticket=ticket,
        remarks=tuple(dict.fromkeys(remarks)),
    )


def _usd(charge: Charge | None) -> Money | None:
    return None if charge is None else charge.usd


def _moderated(ticket: Ticket, stage: str, reasons: tuple[str, ...], cost: Money | None) -> PictureModerated:
    what = "the request" if stage == "request" else "the picture"
    why = f": {', '.join(reasons)}" if reasons else ""
    charged = "" if cost is None else f" Charged: {show(cost)}."
    message = f"{ticket.provider} withheld {what} (moderated){why}.{charged} The same request would be withheld again."
    return PictureModerated(message, stage=stage, reasons=reasons, cost=cost, ticket=ticket)


def _late(ticket: Ticket, charge: Charge | None, why: str) -> DeadlineExceeded:
    return DeadlineExceeded(
        f"The time of this call is over, and the picture has not come: {why}. It is paid for and not lost: "
        f"collect(error.ticket) fetches it later (task {ticket.task_id}).",
        cost=_usd(charge),
        ticket=ticket,
    )


def _refused(name: str, status: int, reason: str) -> str:
    return f"{name} refuses the key or the account ({status}): {reason}"


# What a client is made of.


def _configuration(config: str | os.PathLike[str] | Configuration | None) -> Configuration:
    if isinstance(config, Configuration):
        return config
    return load_configuration(file=None if config is None else Path(config))


def _seconds(timeout: float) -> float:
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not timeout > 0:
        raise UsageError(f"timeout must be a number of seconds above 0, got {timeout!r}.")
    return float(timeout)


def _base_url(provider: str, given: str | None) -> str | None:
    if given is None:
        return None
    read, why = read_value(f"service.{provider}.base_url", given, folder=Path())
    if why:
        raise UsageError(f"base_url {why}.")
    return str(read)


def _key(provider: str, given: str | Secret | None) -> Secret | None:
    if provider not in KEY_NAMES:
        return given if isinstance(given, Secret) or given is None else Secret(given)
    if given is not None:
        secret = given if isinstance(given, Secret) else Secret(given)
        key: Key | None = Key(provider=provider, secret=secret, origin="api_key")
    else:
        key = find_keys(os.environ, (Path.cwd(),))[0].get(provider)
    fault = key_fault(provider, key)
    if key is None:
        raise AccountError(
            f"There is no key for {provider}: pass api_key=…, or set {KEY_NAMES[provider]} in the environment "
            "or in .env."
        )
    if fault:
        raise AccountError(f"{fault.message}. {(fault.help or '').capitalize()}.")
    return key.secret
