"""What the journal writes is what it reads."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flux2batch.engine import events
from flux2batch.engine.records import KINDS, UnreadableRecord, decode, encode
from flux2batch.money import usd

MONEY = st.decimals(min_value=0, max_value=1000, places=6).map(usd)
TIMES = st.datetimes(min_value=datetime(2000, 1, 1), timezones=st.just(UTC))
PLAIN = st.dictionaries(
    st.text(max_size=5), st.none() | st.booleans() | st.integers() | st.text(max_size=5), max_size=3
)
TICKETS = st.builds(events.Ticket)
st.register_type_strategy(events.Ticket, TICKETS)


def any_event(kind: type) -> st.SearchStrategy[object]:
    """An event of this kind with whatever its types allow."""
    import typing

    def strategy(hint: object) -> st.SearchStrategy[object]:
        if hint is events.Money:
            return MONEY
        if hint is datetime:
            return TIMES
        if hint is typing.Any:
            return st.integers() | st.text(max_size=5)
        arguments = typing.get_args(hint)
        origin = typing.get_origin(hint)
        if type(None) in arguments:
            return st.none() | strategy(next(one for one in arguments if one is not type(None)))
        if origin is tuple and arguments[-1] is Ellipsis:
            return st.lists(strategy(arguments[0]), max_size=3).map(tuple)
        if origin is tuple:
            return st.tuples(*map(strategy, arguments))
        if origin is not None and isinstance(origin, type) and issubclass(origin, typing.Mapping):
            return st.dictionaries(st.text(max_size=5), strategy(arguments[1]), max_size=3)
        if hasattr(hint, "__dataclass_fields__"):
            return any_event(hint)
        if hint is float:
            return st.floats(allow_nan=False, allow_infinity=False)
        return st.from_type(hint)

    hints = typing.get_type_hints(kind)
    return st.builds(kind, **{name: strategy(hint) for name, hint in hints.items()})


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_an_event_is_read_as_it_was_written(kind: str):
    @settings(max_examples=30, deadline=None)
    @given(any_event(KINDS[kind]))
    def round_trip(event: object) -> None:
        assert decode(*encode(event)) == event

    round_trip()


def test_every_event_has_a_kind():
    assert set(KINDS.values()) == {*get_args(events.ShotEvent), *get_args(events.RunEvent)}


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        ("Exploded", "{}"),
        ("Accepted", "{}"),
        ("Accepted", "[]"),
        ("Accepted", "not json"),
        ("Missed", '{"path":5}'),
        ("Resubmitted", '{"by":"me","number":true}'),
        ("BalanceSeen", '{"service":"bfl","usd":"NaN","when":"before"}'),
        ("BalanceSeen", '{"service":"bfl","usd":1.5,"when":"before"}'),
        ("BalanceSeen", '{"service":"bfl","usd":"1","when":"during"}'),
        ("Intended", "[" * 50_000),
    ],
)
def test_what_no_event_wrote_is_refused(kind: str, payload: str):
    with pytest.raises(UnreadableRecord):
        decode(kind, payload)
