"""A changed copy of a frozen value is what dataclasses.replace makes of it."""

from __future__ import annotations

import dataclasses

import pytest

from flux2batch.engine.copying import replace
from flux2batch.engine.lifecycle import NO_COUNTS, UNBORN, Phase


def test_a_copy_is_what_the_standard_library_makes():
    changes = {"phase": Phase.INTENT, "takes": 3, "reason": "because"}

    assert replace(UNBORN, **changes) == dataclasses.replace(UNBORN, **changes)
    assert replace(NO_COUNTS, polls=2) == dataclasses.replace(NO_COUNTS, polls=2)


def test_the_value_itself_stays_as_it_was():
    replace(UNBORN, takes=7)

    assert UNBORN.takes == 0


def test_a_field_that_is_none_is_refused():
    with pytest.raises(TypeError, match="colour"):
        replace(UNBORN, colour="red")
