"""One picture, now: what goes in, what comes out, and what each thing that can go wrong is called."""

from __future__ import annotations

import base64
import dataclasses
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import flux2batch
from flux2batch.client import Client
from flux2batch.emulator.server import Emulator
from flux2batch.errors import (
    AccountError,
    AnswerLost,
    DeadlineExceeded,
    FluxError,
    GenerationFailed,
    InvalidInput,
    MachineError,
    PictureLost,
    PictureModerated,
    Refused,
    RequestRejected,
    UsageError,
)

SMALL = {"width": 512, "height": 512}


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator() as started:
        yield started


def bfl(emulator: Emulator, model: str = "bfl/flux-2-pro", **how: Any) -> Client:
    return Client(model, **{"api_key": emulator.bfl_api_key, "base_url": emulator.bfl_base_url, **how})


def fal(emulator: Emulator, model: str = "fal/flux-2", **how: Any) -> Client:
    return Client(model, **{"api_key": emulator.fal_key, "base_url": emulator.fal_base_url, **how})


def png(size: tuple[int, int] = (96, 64), colour: str = "teal") -> bytes:
    buffer = BytesIO()
    Image.new("RGB", size, colour).save(buffer, "PNG")
    return buffer.getvalue()


# What comes out.


def test_a_picture_comes_with_all_that_is_known_about_it(emulator: Emulator, tmp_path: Path):
    with bfl(emulator) as client:
        result = client.generate("a paper boat", seed=7, **SMALL)

    [task] = emulator.books.tasks()
    assert result.cost == Decimal("0.03") == emulator.books.charged
    assert (result.seed, result.prompt, result.task_id) == (7, "a paper boat", task.id)
    assert result.images[0].pil().size == (512, 512)
    assert result.images[0].save(tmp_path / "boat.png").read_bytes() == result.images[0].content
    assert result.remarks == ()


def test_the_final_prompt_is_told_where_it_was_changed(emulator: Emulator):
    with bfl(emulator) as client:
        result = client.generate("a paper boat", upsampling=True, **SMALL)

    assert result.prompt is not None
    assert result.prompt.startswith("a paper boat, ")


def test_several_frames_of_fal_are_several_images_at_one_cost(emulator: Emulator):
    with fal(emulator) as client:
        result = client.generate("a paper boat", num_images=3, **SMALL)

    assert len(result.images) == 3
    assert len({image.content for image in result.images}) == 3
    assert result.cost == Decimal("0.009")  # 3 × a quarter of a megapixel × $0.012


def test_a_structured_prompt_goes_as_json(emulator: Emulator):
    with bfl(emulator) as client:
        result = client.generate({"scene": "a paper boat", "colours": ["#0047AB"]}, **SMALL)

    assert result.prompt == '{"scene": "a paper boat", "colours": ["#0047AB"]}'


@pytest.mark.parametrize(
    ("name", "kept_as", "format"),
    [
        ("a.png", "a.png", "PNG"),
        ("a", "a.png", "PNG"),
        ("a.jpg", "a.jpg", "JPEG"),
        ("a.webp", "a.webp", "WEBP"),
        ("a.picture", "a.picture", "PNG"),
    ],
)
def test_a_picture_is_saved_as_its_name_says(emulator: Emulator, tmp_path: Path, name: str, kept_as: str, format: str):
    with bfl(emulator) as client:
        saved = client.generate("a paper boat", **SMALL).images[0].save(tmp_path / name)

    assert saved == tmp_path / kept_as
    with Image.open(saved) as opened:
        assert opened.format == format
    assert [file.name for file in tmp_path.iterdir()] == [kept_as]


def test_a_folder_that_is_not_there_costs_no_picture(emulator: Emulator, tmp_path: Path):
    with bfl(emulator) as client:
        saved = client.generate("a paper boat", **SMALL).images[0].save(tmp_path / "outputs" / "new" / "a.png")

    assert saved.is_file()


def test_a_price_can_be_asked_for_before(emulator: Emulator):
    with bfl(emulator) as client:
        quote = client.quote("a paper boat", size="1024x2048")

    assert quote is not None
    assert quote.max == Decimal("0.045")
    assert emulator.books.sightings() == {}


# What goes in.

LOGO = png()


def _given(folder: Path) -> dict[str, Any]:
    file = folder / "a.png"
    file.write_bytes(LOGO)
    written = BytesIO()
    written.write(LOGO)  # and stands at its end
    return {
        "a path as text": str(file),
        "a Path": file,
        "bytes": LOGO,
        "a bytearray": bytearray(LOGO),
        "base64": base64.b64encode(LOGO).decode(),
        "a data URI": "data:image/png;base64," + base64.b64encode(LOGO).decode(),
        "a file in memory": BytesIO(LOGO),
        "a file in memory that was just written": written,
        "an image of Pillow": Image.open(BytesIO(LOGO)),
        "a CMYK image of Pillow": Image.new("CMYK", (96, 64), "teal"),
        "an https URL": "https://example.com/a.png",
    }


@pytest.mark.parametrize("form", [
    "a path as text", "a Path", "bytes", "a bytearray", "base64", "a data URI", "a file in memory",
    "a file in memory that was just written", "an image of Pillow", "a CMYK image of Pillow", "an https URL",
])  # fmt: skip
@pytest.mark.parametrize("several", [False, True], ids=["alone", "in a list"])
def test_a_reference_may_be(emulator: Emulator, tmp_path: Path, form: str, several: bool):
    given = _given(tmp_path)[form]
    with bfl(emulator) as client:
        client.generate("a paper boat", images=[given] if several else given, **SMALL)

    [task] = emulator.books.tasks()
    assert len(task.wish["references"]) == 1


def test_a_photo_that_lies_on_its_side_is_sent_upright(emulator: Emulator, tmp_path: Path):
    photo = Image.new("RGB", (96, 64), "teal")
    exif = Image.Exif()
    exif[0x0112] = 6
    photo.save(tmp_path / "photo.jpg", exif=exif)
    with bfl(emulator) as client:
        result = client.generate("a paper boat", images=[tmp_path / "photo.jpg"])

    # Without a size the picture follows the first reference.
    assert result.images[0].pil().size == (64, 96)


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "the service's name for it": ({"guidance_scale": 3}, "'guidance_scale' is called 'guidance' here"),
    "a parameter that the model does not take": ({"steps": 20}, "'steps' works only with bfl/flux-2-flex"),
    "a name that is spelt wrong": ({"sed": 1}, "did you mean 'seed'?"),
    "another word for images": ({"input_image": "a.png"}, "'input_image' is called 'images' here"),
    "a side that is no multiple of 16": ({"width": 1000, "height": 1024}, "width must be a multiple of 16, got 1000"),
    "a width alone": ({"width": 1024}, "width needs height beside it"),
    "five megapixels": ({"size": "2560x2048"}, "5 MP, over the 4 MP of bfl/flux-2-pro"),
    "a tolerance out of range": ({"safety_tolerance": 6}, "safety_tolerance must be 0 to 5, got 6"),
    "a format that is none": ({"output_format": "gif"}, "output_format must be one of"),
    "text for a number": ({"seed": "7"}, "seed must be a whole number"),
    "nine references": ({"images": [LOGO] * 9, "size": "512x512"}, "9 references, but bfl/flux-2-pro takes at most 8"),
    "a file that is not there": ({"images": ["nowhere.png"]}, "image 1: no such file 'nowhere.png'"),
    "a number for a picture": ({"images": [LOGO, 7]}, "image 2: what was given is neither a path nor a picture"),
    "text for a picture": ({"images": [b"ssh-rsa AAAA"]}, "image 1: "),
    "an address on this machine": ({"images": ["https://127.0.0.1/a.png"]}, "image 1: "),
    "match without a reference": ({"size": "match"}, "there is no reference"),
    "exact pixels": ({"size": {"exact": "1080x1350"}}, 'ask for size="1088x1360"'),
    "an empty prompt": ({"prompt": "  "}, "the prompt is empty"),
    "half a character": ({"prompt": "a \ud83d boat"}, "half a character"),
    "a prompt that is none": ({"prompt": 7}, "the prompt must be text"),
}


@pytest.mark.parametrize("mistake", WRONG)
def test_a_mistake_is_named_and_nothing_is_sent(emulator: Emulator, mistake: str):
    given, says = WRONG[mistake]
    with bfl(emulator) as client, pytest.raises(InvalidInput) as caught:
        client.generate(**{"prompt": "a paper boat", **given})

    assert says in str(caught.value)
    assert emulator.books.sightings() == {}


def test_all_mistakes_are_named_at_once(emulator: Emulator):
    with bfl(emulator) as client, pytest.raises(InvalidInput) as caught:
        client.generate("", images=["nowhere.png", 7], steps=4, guidance_scale=3)

    assert [problem.code for problem in caught.value.problems] == ["FB209", "FB401", "FB405", "FB602", "FB201"]


def test_half_a_mistake_in_the_client_itself_is_named():
    with pytest.raises(InvalidInput, match="did you mean 'bfl/flux-2-pro'"):
        Client("bfl/flux-2-prro", api_key="bfl_0123456789")
    with pytest.raises(AccountError, match="pass api_key=…, or set BFL_API_KEY"):
        Client("bfl/flux-2-pro")
    with pytest.raises(AccountError, match="looks like a fal key"):
        Client("bfl/flux-2-pro", api_key="0123456789abcdef:0123456789abcdef")
    with pytest.raises(UsageError, match="must begin with https"):
        Client("bfl/flux-2-pro", api_key="bfl_0123456789", base_url="http://example.com")
    with pytest.raises(UsageError, match="timeout must be"):
        Client("bfl/flux-2-pro", api_key="bfl_0123456789", timeout=0)


# What can happen.

FATES: dict[str, tuple[type[FluxError], str, int]] = {
    # in the prompt                      raised             says                                          tasks booked
    "[emulate request-moderated]":      (PictureModerated,  "withheld the request (moderated): Sexual Content", 1),
    "[emulate content-moderated]":      (PictureModerated,  "withheld the picture (moderated): Protected",      1),
    "[emulate content-moderated=none]": (PictureModerated,  "withheld the picture (moderated).",                1),
    "[emulate error]":                  (GenerationFailed,  "could not draw the picture: error: Generation",    1),
    "[emulate failed]":                 (GenerationFailed,  "could not draw the picture",                       1),
    "[emulate 422]":                    (RequestRejected,   "refused the request (422)",                        0),
    "[emulate 402]":                    (AccountError,      "refuses the key or the account (402)",             0),
    "[emulate 403]":                    (AccountError,      "refuses the key or the account (403)",             0),
    "[emulate 500]":                    (AnswerLost,        "It may be drawn and charged ($0.03 at most)",      0),
    "[emulate 503-after-accept]":       (AnswerLost,        "it was not sent again",                            1),
    "[emulate drop-after-accept]":      (AnswerLost,        "its answer is lost",                               1),
    "[emulate html-answer]":            (AnswerLost,        "its answer is lost",                               1),
    "[emulate missing-id]":             (AnswerLost,        "gave no usable id",                                1),
    "[emulate redirect]":               (AnswerLost,        "pointed to 127.0.0.1:9",                           0),
    "[emulate 429=60]":                 (DeadlineExceeded,  "Nothing is charged",                               0),
    "[emulate never-ends]":             (DeadlineExceeded,  "its status is Pending",                            1),
    "[emulate no-sample]":              (DeadlineExceeded,  "its link is missing",                              1),
    "[emulate expired]":                (DeadlineExceeded,  "the link is no longer good (403)",                 1),
    "[emulate html-picture]":           (DeadlineExceeded,  "what came is no picture",                          1),
    "[emulate poll-html]":              (DeadlineExceeded,  "",                                                 1),
}  # fmt: skip


@pytest.mark.parametrize("fate", FATES)
def test_what_is_not_a_picture_is_an_error_of_its_own(emulator: Emulator, fate: str):
    raised, says, booked = FATES[fate]
    with bfl(emulator, timeout=1.5) as client, pytest.raises(FluxError) as caught:
        client.generate(f"a paper boat {fate}", **SMALL)

    assert type(caught.value) is raised
    assert says in str(caught.value)
    assert (len(emulator.books.tasks()), len(emulator.books.submits())) == (booked, 1)


OVERCOME = ["429=0.2@1-2", "poll-503@1-2", "poll-404@1", "poll-html@1", "expired@1", "truncated@1", "html-picture@1",
            "download-503@1", "flip", "reasoning", "status", "cut-body=150"]  # fmt: skip


@pytest.mark.parametrize("fault", OVERCOME)
def test_what_passes_is_waited_out_and_bought_once(fault: str):
    with Emulator(faults=[fault], latency="0.1") as emulator, bfl(emulator, timeout=30) as client:
        result = client.generate("a paper boat", **SMALL)

        assert result.images[0].pil().size == (512, 512)
        assert emulator.books.counts()["tasks"] == 1


def test_a_service_that_is_not_there_is_said_to_be_so_and_nothing_is_charged():
    with Emulator() as emulator:
        client = bfl(emulator, timeout=1)
    with pytest.raises(MachineError, match="Nothing was sent, and nothing is charged"):
        client.generate("a paper boat", **SMALL)


def test_a_black_frame_of_fal_is_moderation_with_its_price():
    with Emulator(faults=["black"]) as emulator, fal(emulator) as client, pytest.raises(PictureModerated) as caught:
        client.generate("a paper boat", **SMALL)

    assert caught.value.cost == Decimal("0.003")


def test_moderation_of_fal_is_moderation():
    with (
        Emulator(faults=["content-moderated"]) as emulator,
        fal(emulator) as client,
        pytest.raises(PictureModerated, match="flagged by a content checker"),
    ):
        client.generate("a paper boat", **SMALL)


def test_what_is_late_is_collected_later_by_anybody_who_has_the_ticket():
    with Emulator(latency="1") as emulator:
        with bfl(emulator) as client, pytest.raises(DeadlineExceeded) as caught:
            client.generate("a paper boat", timeout=0.3, seed=9, **SMALL)
        ticket = caught.value.ticket
        assert ticket is not None
        with bfl(emulator) as another:
            result = another.collect(dataclasses.asdict(ticket))

        assert result.seed == 9
        assert result.task_id == ticket.task_id
        assert emulator.books.counts()["tasks"] == 1


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no timer that interrupts")
@pytest.mark.parametrize(
    ("fault", "says"),
    [("never-ends", "Client.collect(Ticket(provider='bfl'"), ("stall", "it may be drawn and charged")],
)
def test_who_presses_ctrl_c_is_told_what_is_still_out_there(fault: str, says: str):
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with Emulator(faults=[fault]) as emulator, bfl(emulator) as client:
            signal.setitimer(signal.ITIMER_REAL, 0.7)
            with pytest.raises(KeyboardInterrupt) as caught:
                client.generate("a paper boat", **SMALL)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)

    assert any(says in note for note in caught.value.__notes__)


def test_a_task_that_nobody_knows_any_more_is_lost(emulator: Emulator, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("flux2batch.client.NOT_YET_S", 0.1)
    with bfl(emulator, timeout=20) as client, pytest.raises(PictureLost, match="It may be charged"):
        client.generate("a paper boat [emulate vanish=0]", **SMALL)


def test_a_ticket_of_another_service_is_not_collected(emulator: Emulator):
    with bfl(emulator) as client:
        ticket = client.generate("a paper boat", **SMALL).ticket
    with fal(emulator) as other, pytest.raises(UsageError, match="This ticket is of bfl"):
        other.collect(ticket)


def test_one_client_serves_many_threads(emulator: Emulator):
    results = []
    with bfl(emulator) as client:
        threads = [
            threading.Thread(target=lambda n=n: results.append(client.generate("a boat", seed=n, **SMALL)))
            for n in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)

    assert sorted(result.seed for result in results) == list(range(8))
    assert len({result.images[0].content for result in results}) == 8


# The user's own rules.


def test_the_configuration_says_which_models_and_hosts_may_be_used(emulator: Emulator, tmp_path: Path):
    config = tmp_path / "config.toml"
    config.write_text('[allow]\nmodels = ["bfl/flux-2-klein-*"]\nhosts = ["pictures.example.com"]\n')
    with pytest.raises(InvalidInput, match="not among the models"):
        bfl(emulator, config=config)
    with bfl(emulator, "bfl/flux-2-klein-4b", config=config) as client, pytest.raises(InvalidInput, match="hosts"):
        client.generate("a boat", images="https://elsewhere.example.com/a.png", size="512x512")


def test_limits_hold_for_one_picture_too(tmp_path: Path):
    config = tmp_path / "config.toml"
    config.write_text("[limits]\nper_run_usd = 0.04\nper_day_usd = 0.06\n")
    with Client(
        "bfl/flux-2-pro", api_key="bfl_0123456789", base_url="https://nowhere.invalid", config=config
    ) as client:
        with pytest.raises(Refused, match=r"may cost \$0.045, and limits.per_run_usd is \$0.04"):
            client.generate("a boat", size="1024x2048")
        for _ in range(3):  # what was not sent takes nothing of the day
            with pytest.raises(MachineError):
                client.generate("a boat", size="1024x1024", timeout=0.1)


# What it costs to have it.


def test_importing_the_package_reads_nothing_heavy():
    heavy = "{'PIL', 'jinja2', 'jsonschema', 'urllib3', 'tenacity', 'yaml', 'click'}"
    said = subprocess.run(
        [sys.executable, "-c", f"import sys, flux2batch; print(sorted({heavy} & set(sys.modules)))"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert said.stdout.strip() == "[]"


def test_what_is_not_promised_is_not_there():
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        flux2batch.nonsense  # noqa: B018  # to be there at all is the question
