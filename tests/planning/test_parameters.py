"""What a model takes: wrong parameters are caught with the remedy, before anything is sent."""

# ruff: noqa: E501  # the tables of cases read as tables

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from flux2batch.planning.fault import Fault
from flux2batch.planning.models.catalogue import Entry, entries
from flux2batch.planning.models.parameters import (
    SERVICE_NAMES,
    check_model,
    check_prompt,
    check_together,
    check_value,
    convert,
    estimated_tokens,
    request_fields,
)
from flux2batch.reading.codes import ALL


def of(model: str) -> Entry:
    return entries()[model]


@pytest.mark.parametrize(
    ("model", "name", "value", "code", "message", "remedy"),
    [
        # what the service would ignore without a word
        ("bfl/flux-2-pro", "steps", 30, "FB602", "'steps' works only with bfl/flux-2-flex", "remove it, or choose bfl/flux-2-flex"),
        ("bfl/flux-2-max", "guidance", 3, "FB602", "'guidance' works only with bfl/flux-2-flex", "this model chooses its own guidance"),
        ("bfl/flux-2-klein-4b", "steps", 4, "FB602", "'steps' works only with bfl/flux-2-flex", "klein is distilled"),
        ("bfl/flux-2-klein-4b", "upsampling", True, "FB602", "upsampling can only be false on bfl/flux-2-klein-4b, got true", "klein never rewrites"),
        ("bfl/flux-2-pro", "num_images", 2, "FB602", "num_images can only be 1", "repeat: 4"),
        ("bfl/flux-2-pro", "acceleration", "high", "FB602", "'acceleration' works only with fal/flux-2", "only fal has it"),
        ("fal/flux-2-flash", "steps", 10, "FB602", "fal/flux-2-flash takes no 'steps'", "remove it, or choose fal/flux-2, fal/flux-2-flex"),
        ("fal/flux-2-flash", "acceleration", "high", "FB602", "'acceleration' works only with fal/flux-2", "the accelerated one"),
        ("fal/flux-2-klein-9b", "guidance", 3, "FB602", "fal/flux-2-klein-9b takes no 'guidance'", "klein is distilled"),
        ("fal/flux-2", "safety_tolerance", 3, "FB602", "fal/flux-2 takes no 'safety_tolerance'", "safety_checker"),
        ("fal/flux-2-pro", "upsampling", False, "FB602", "fal/flux-2-pro takes no 'upsampling'", "leave it out"),
        ("local/flux-2-klein-4b", "guidance", 4, "FB602", "local/flux-2-klein-4b takes no 'guidance'", "or choose local/flux-2-klein-base-4b"),
        ("local/flux-2-klein-base-4b", "guidance", 0.5, "FB204", "guidance must be 1 to 20, got 0.5", ""),
        # ranges
        ("bfl/flux-2-flex", "guidance", 12, "FB204", "guidance must be 1.5 to 10, got 12", "bfl/flux-2-flex"),
        ("bfl/flux-2-flex", "guidance", 1.0, "FB204", "guidance must be 1.5 to 10, got 1.0", ""),
        ("bfl/flux-2-flex", "guidance", Decimal("10.1"), "FB204", "got 10.1", ""),
        ("bfl/flux-2-flex", "steps", 51, "FB204", "steps must be 1 to 50, got 51", ""),
        ("bfl/flux-2-pro", "safety_tolerance", 6, "FB204", "safety_tolerance must be 0 to 5, got 6", ""),
        ("fal/flux-2-pro", "safety_tolerance", 0, "FB204", "safety_tolerance must be 1 to 5, got 0", ""),
        ("fal/flux-2-klein-4b", "steps", 28, "FB204", "steps must be 4 to 8, got 28", ""),
        ("bfl/flux-2-pro", "seed", -1, "FB204", "seed must be 0 to 4294967295, got -1", ""),
        ("bfl/flux-2-pro", "width", 1000, "FB204", "width must be a multiple of 16, got 1000", "nearest: 992 or 1008"),
        ("bfl/flux-2-pro", "height", 32, "FB204", "height must be 64 to 4096, got 32", ""),
        # kinds
        ("bfl/flux-2-flex", "steps", "20", "FB205", 'steps must be a whole number, got the text "20"', "remove the quotes"),
        ("bfl/flux-2-flex", "steps", 20.5, "FB205", "steps must be a whole number, got 20.5", ""),
        ("bfl/flux-2-flex", "guidance", "much", "FB205", 'guidance must be a number, got the text "much"', ""),
        ("bfl/flux-2-flex", "guidance", float("nan"), "FB205", "guidance must be a number", ""),
        ("bfl/flux-2-flex", "guidance", True, "FB205", "guidance must be a number, got true", ""),
        ("bfl/flux-2-pro", "upsampling", "no", "FB205", 'upsampling must be true or false, got the text "no"', "write true or false"),
        ("bfl/flux-2-pro", "seed", {"per": ["x"]}, "FB205", "seed must be a whole number, got a mapping", ""),
        ("bfl/flux-2-pro", "seed", [1], "FB205", "got a list", ""),
        ("bfl/flux-2-pro", "seed", None, "FB205", "got nothing", ""),
        ("bfl/flux-2-pro", "width", "1024", "FB205", "width must be a whole number", "remove the quotes"),
        # words
        ("bfl/flux-2-pro", "output_format", "jpg", "FB203", "output_format must be one of png, jpeg, webp", "did you mean 'jpeg'?"),
        ("fal/flux-2-pro", "output_format", "webp", "FB203", "output_format must be one of png, jpeg", ""),
        ("fal/flux-2", "acceleration", "hihg", "FB203", "must be one of none, regular, high", "did you mean 'high'?"),
        # names
        ("bfl/flux-2-flex", "guidance_scale", 3, "FB201", "'guidance_scale' is called 'guidance' here", "write guidance"),
        ("fal/flux-2", "num_inference_steps", 3, "FB201", "'num_inference_steps' is called 'steps' here", ""),
        ("bfl/flux-2-flex", "gidance", 3, "FB201", "unknown parameter 'gidance'", "did you mean 'guidance'?"),
        ("bfl/flux-2-flex", "xyzzy", 3, "FB201", "unknown parameter 'xyzzy'", "known parameters: acceleration, aspect"),
    ],
)  # fmt: skip
def test_a_wrong_parameter_is_answered_with_the_remedy(
    model: str, name: str, value: Any, code: str, message: str, remedy: str
) -> None:
    fault = check_value(of(model), name, value)

    assert isinstance(fault, Fault)
    assert (fault.code, fault.parameter) == (code, name)
    assert message in fault.message
    assert remedy in (fault.help or "")
    assert code in ALL


@pytest.mark.parametrize(
    ("model", "name", "value"),
    [
        ("bfl/flux-2-flex", "guidance", 5),
        ("bfl/flux-2-flex", "guidance", Decimal("2.0")),
        ("bfl/flux-2-flex", "steps", 20.0),
        ("bfl/flux-2-klein-4b", "upsampling", False),
        ("bfl/flux-2-pro", "num_images", 1),
        ("bfl/flux-2-pro", "width", 1024),
        ("bfl/flux-2-pro", "size", {"exact": "1x1"}),  # judged as a whole by resolve_size
        ("fal/flux-2", "num_images", 4),
        ("fal/flux-2", "safety_checker", False),
        ("local/flux-2-dev", "steps", 28),
    ],
)
def test_a_value_that_the_model_takes_has_no_fault(model: str, name: str, value: Any) -> None:
    assert check_value(of(model), name, value) is None


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("width", "1088", 1088),
        ("steps", " 20 ", 20),
        ("guidance", "2,5", Decimal("2.5")),
        ("guidance", "2.5", Decimal("2.5")),
        ("guidance", "-1", -1),
        ("upsampling", "true", True),
        ("upsampling", "FALSE", False),
        ("output_format", "png", "png"),
        ("guidance", "1.088,5", "1.088,5"),
        ("guidance", "a lot", "a lot"),
        ("guidance", "1e3", "1e3"),
        ("guidance", "", ""),
        ("guidance", "²", "²"),
        ("steps", 20, 20),
        ("subject", "20", "20"),
    ],
)
def test_text_from_cells_and_templates_is_read_as_the_parameter_wants_it(name: str, text: Any, value: Any) -> None:
    converted = convert(of("bfl/flux-2-flex"), name, text)

    assert (converted, type(converted)) == (value, type(value))


@pytest.mark.parametrize(
    ("model", "references", "ok"),
    [
        ("bfl/flux-2-pro", 8, True),
        ("bfl/flux-2-pro", 9, False),
        ("bfl/flux-2-klein-4b", 4, True),
        ("bfl/flux-2-klein-4b", 5, False),
        ("fal/flux-2", 5, False),
        ("local/flux-2-dev", 6, True),
        ("local/flux-2-dev", 7, False),
    ],
)
def test_too_many_references_are_refused(model: str, references: int, ok: bool) -> None:
    faults = check_together(of(model), {"width": 1024, "height": 1024}, references)

    assert [fault.code for fault in faults] == ([] if ok else ["FB603"])


def test_too_many_references_name_the_models_that_take_more_and_the_collage() -> None:
    (nine,) = check_together(of("bfl/flux-2-pro"), {}, 9)
    (five,) = check_together(of("bfl/flux-2-klein-9b"), {}, 5)

    assert nine.message == "9 references, but bfl/flux-2-pro takes at most 8"
    assert "collage" in (nine.help or "")
    assert "choose bfl/flux-2-pro" in (five.help or "")


def test_two_sides_that_are_each_legal_may_be_too_many_pixels() -> None:
    (fault,) = check_together(of("bfl/flux-2-pro"), {"width": 2560, "height": 2560}, 0)

    assert (fault.code, fault.help) == ("FB601", "nearest of the same shape: 2048x2048")


@pytest.mark.parametrize(
    ("written", "code", "message", "remedy"),
    [
        ("bfl/flux2-pro", "FB203", "there is no model 'bfl/flux2-pro'", "did you mean 'bfl/flux-2-pro'?"),
        ("flux-2-flex", "FB203", "there is no model 'flux-2-flex'", "did you mean 'bfl/flux-2-flex'?"),
        ("bfl/flux-2-PRO", "FB203", "there is no model", "did you mean 'bfl/flux-2-pro'?"),
        ("fal-ai/flux-2/flash", "FB203", "there is no model", "did you mean 'fal/flux-2-flash'?"),
        ("fal-ai/flux-2/klein/9b/edit", "FB203", "there is no model", "did you mean 'fal/flux-2-klein-9b'?"),
        ("openai/dall-e-3", "FB203", "there is no model 'openai/dall-e-3'", "the models are bfl/flux-2-pro"),
        ("fal/flux-2-klein-9b-preview", "FB604", "flux-2-klein-9b-preview is not on fal (providers: bfl)", "model: bfl/"),
        ("bfl/flux-2-flash", "FB604", "flux-2-flash is not on bfl (providers: fal)", "model: fal/flux-2-flash"),
        ("local/flux-2-pro", "FB604", "flux-2-pro is not on local (providers: bfl, fal)", "model: bfl/flux-2-pro"),
    ],
)  # fmt: skip
def test_a_model_that_does_not_exist_is_answered_with_one_that_does(
    written: str, code: str, message: str, remedy: str
) -> None:
    fault = check_model(written)

    assert fault is not None
    assert fault.code == code
    assert message in fault.message
    assert remedy in (fault.help or "")


@pytest.mark.parametrize("model", entries())
def test_every_model_of_the_catalogue_exists(model: str) -> None:
    assert check_model(model) is None


def test_a_prompt_longer_than_the_model_reads_is_refused() -> None:
    fault = check_prompt(of("bfl/flux-2-pro"), "boat " * 33_000)

    assert fault is not None
    assert fault.code == "FB210"
    assert "about 41,200 tokens long, bfl/flux-2-pro reads 32,000" in fault.message


@pytest.mark.parametrize(
    ("model", "prompt", "ok"),
    [
        ("bfl/flux-2-pro", "boat " * 25_000, True),
        ("bfl/flux-2-pro", "船" * 31_000, True),
        ("bfl/flux-2-pro", "船" * 33_000, False),
        ("local/flux-2-klein-4b", "boat " * 400, True),
        ("local/flux-2-klein-4b", "boat " * 500, False),
        ("fal/flux-2", "boat " * 50_000, True),
    ],
)
def test_the_length_of_a_prompt_is_judged_by_the_model(model: str, prompt: str, ok: bool) -> None:
    assert (check_prompt(of(model), prompt) is None) is ok


def test_tokens_are_estimated_by_letters_and_other_characters() -> None:
    assert (estimated_tokens("boat"), estimated_tokens("boats"), estimated_tokens("紙の船"), estimated_tokens("")) == (
        1,
        2,
        3,
        0,
    )


def test_no_parameter_of_ours_has_the_name_that_a_service_uses_for_another() -> None:
    ours = {name for each in entries().values() for name in each.parameters}

    assert not ours & set(SERVICE_NAMES)
    assert {field for each in entries().values() for field in request_fields(each, {"width": 64, "height": 64})} <= (
        ours | set(SERVICE_NAMES) | {"width", "height", "sync_mode"}
    )


def test_a_request_is_json_whatever_kind_of_number_the_sweep_made() -> None:
    import json

    params = {"width": 1024, "height": 1024, "guidance": Decimal("2.50"), "steps": Decimal(20), "seed": 3.0}

    assert json.loads(json.dumps(request_fields(of("bfl/flux-2-flex"), params))) | {} == {
        "width": 1024,
        "height": 1024,
        "seed": 3,
        "guidance": 2.5,
        "steps": 20,
        "prompt_upsampling": False,
        "safety_tolerance": 2,
        "output_format": "png",
    }
