"""Which provider answers to which name: ours by a table, others by the entry-point group `flux2batch.providers`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING

from flux2batch.engine.events import Ticket
from flux2batch.errors import UsageError
from flux2batch.money import Money
from flux2batch.planning.configuration import Configuration
from flux2batch.planning.models.catalogue import Entry
from flux2batch.planning.models.pricing import unit_price
from flux2batch.providers.answers import usable_id
from flux2batch.providers.contract import Provider
from flux2batch.providers.hosts import BFL, FAL, Forbidden, HostRules, judge
from flux2batch.secret import Secret

if TYPE_CHECKING:
    from flux2batch.providers.wire import Wire

GROUP = "flux2batch.providers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What a provider is made of."""

    base_url: str
    key: Secret | None  # None where a provider needs none
    proxy: str | None
    entry: Callable[[str], Entry]  # by model name
    unit_price: Callable[[str, str], Money | None]  # of one billable unit, by model and endpoint
    configuration: Configuration


Maker = Callable[[Setting], Provider]


def make(
    name: str, configuration: Configuration, *, base_url: str | None = None, key: Secret | None = None
) -> Provider:
    """The provider of this name. `base_url` stands in for the configured one: an emulator's, say."""
    service = configuration.services.get(name)
    setting = Setting(
        base_url=base_url or (service.base_url if service else ""),
        key=key,
        proxy=service.proxy if service and base_url is None else None,
        entry=lambda model: _known(configuration, model),
        unit_price=lambda model, endpoint: _unit_price(configuration, model, endpoint),
        configuration=configuration,
    )
    return _maker(name)(setting)


def ticket_for(name: str, task_id: str, *, model: str, endpoint: str, origin: str, poll_url: str | None) -> Ticket:
    """The ticket of a task that a person found at the service by hand.

    Raises UsageError where the service cannot have given such a ticket, or keeps its tickets to itself.
    """
    if name not in _RULES:
        raise UsageError(f"A task of '{name}' cannot be taken up by its id.")
    if usable_id(task_id) is None:
        raise UsageError("That is no task id: one has 1 to 200 visible characters, none of them a blank.")
    if poll_url is not None:
        verdict = judge(poll_url, purpose="api", rules=replace(_RULES[name], base_url=origin))
        if isinstance(verdict, Forbidden):
            raise UsageError(f"That polling URL is never asked: {verdict.reason}.")
    module = import_module(f"flux2batch.providers.{name}")
    ticket: Ticket = module.ticket_for(task_id, model=model, endpoint=endpoint, origin=origin, poll_url=poll_url)
    return ticket


def _known(configuration: Configuration, model: str) -> Entry:
    entry = configuration.entry(model)
    assert entry is not None, f"BUG: {model} was planned and is not in the catalogue"
    return entry


def _unit_price(configuration: Configuration, model: str, endpoint: str) -> Money | None:
    entry = configuration.entry(model)
    if entry is None:
        return None
    return unit_price(entry, references=int(endpoint == entry.edit_endpoint), prices=configuration.prices)


def _maker(name: str) -> Maker:
    if name in _OURS:
        return _OURS[name]
    from importlib.metadata import entry_points

    for found in entry_points(group=GROUP, name=name):
        maker: Maker = found.load()
        return maker
    raise UsageError(f"There is no provider called '{name}'. Installed: {', '.join(sorted(_OURS))}.")


def _bfl(setting: Setting) -> Provider:
    module = import_module("flux2batch.providers.bfl")
    provider: Provider = module.Bfl(wire=_wire(BFL, setting, header="x-key", prefix=""), entry=setting.entry)
    return provider


def _fal(setting: Setting) -> Provider:
    module = import_module("flux2batch.providers.fal")
    wire = _wire(FAL, setting, header="Authorization", prefix="Key ")
    provider: Provider = module.Fal(wire=wire, entry=setting.entry, unit_price=setting.unit_price)
    return provider


def _local(setting: Setting) -> Provider:
    from flux2batch.planning.models.catalogue import entries

    configuration = setting.configuration
    opening = import_module("flux2batch.providers.local.opening")
    workers = opening.Opened(configuration.local, entries=lambda: entries(configuration.models))
    provider: Provider = import_module("flux2batch.providers.local.provider").Local(workers, entry=setting.entry)
    return provider


def _wire(rules: HostRules, setting: Setting, *, header: str, prefix: str) -> Wire:
    from flux2batch.providers.wire import Credentials, Wire  # brings HTTP, which a plan never needs

    assert setting.key is not None, f"BUG: {rules.service} was opened without a key"
    return Wire(
        rules=replace(rules, base_url=setting.base_url),
        credentials=Credentials(header=header, prefix=prefix, key=setting.key),
        proxy=setting.proxy,
    )


_OURS: Mapping[str, Maker] = {"bfl": _bfl, "fal": _fal, "local": _local}
_RULES: Mapping[str, HostRules] = {"bfl": BFL, "fal": FAL}
