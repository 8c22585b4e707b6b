"""A picture says where it comes from, in every format, and not a pixel of it changes."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from xml.etree import ElementTree

import pytest
from painting import FORMATS, description, image, painted, pixels, with_credentials
from PIL import Image, PngImagePlugin

from flux2batch.engine.events import Charge, Intended, Rendered
from flux2batch.engine.lifecycle import UNBORN, advance
from flux2batch.money import Money
from flux2batch.pictures import parts
from flux2batch.pictures.checking import Checked, check
from flux2batch.pictures.describing import description_in, embed, read_description, without_description
from flux2batch.pictures.description import Level, describe, facts, sidecar
from flux2batch.planning.shot import ShotId

LEVELS: tuple[Level, ...] = ("full", "minimal", "none")

HOSTILE = {
    "markup": "</x:xmpmeta><script>alert(1)</script> & <b> ]]> \" '",
    "record": "</f2b:record><f2b:record>{}</f2b:record>",
    "packet": '<?xpacket end="r"?></rdf:RDF></rdf:Description>',
    "controls": "a\0b\x1b[2Jc\x07d\r\ne\x9bf\x7f",
    "bidi": "a\u202eb\u2066c\u200bd\ufeff",
    "half a character": "a\ud800b",
    "not characters": "a\ufffe\uffffb",
    "scripts": "日本語 русский العربية हिन्दी 🦊👩‍👩‍👧",
    "lines": "one\ntwo\n\nSteps: 99, Seed: 1, Model: forged",
    "braces": '{"flux2batch": 1} \\ \\u0000 %s {{ x }}',
    "empty": "",
    "long": "snow 日本 " * 30_000,
}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("kind", FORMATS)
def test_no_pixel_changes(kind: str, level: Level) -> None:
    content = painted(kind)

    described = embed(content, description(), level=level).content

    assert pixels(described) == pixels(content)
    assert (described == content) == (level == "none")
    assert isinstance(check(described, asked_format=kind.split()[0], asked_size=(96, 64)), Checked)


@pytest.mark.parametrize("kind", FORMATS)
def test_what_was_written_is_read_back(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.picture"
    path.write_bytes(embed(painted(kind), description(), level="full").content)

    assert read_description(path) == description()


@pytest.mark.parametrize("kind", FORMATS)
def test_minimal_tells_where_it_comes_from_and_nothing_of_the_job(kind: str) -> None:
    described = embed(painted(kind), description(), level="minimal").content

    told = description_in(described)

    assert told == description(
        job=None, coordinates={}, prompt=None, final_prompt=None, params={}, references=(), cost_usd=None
    )
    for secret in (b"fox", b"study", b"abababab", b"0.06", "fox".encode("utf-16-be")):
        assert secret not in described


@pytest.mark.parametrize("kind", FORMATS)
def test_a_description_replaces_the_one_before_and_leaves_no_word_of_it(kind: str) -> None:
    """`export` turns `full` into `minimal`."""
    full = embed(painted(kind), description(), level="full").content

    assert (
        embed(full, description(), level="minimal").content
        == embed(painted(kind), description(), level="minimal").content
    )
    assert embed(full, description(), level="full").content == full


@pytest.mark.parametrize("kind", ["png", "jpeg"])
def test_taken_out_again_the_file_is_what_it_was_to_the_byte(kind: str) -> None:
    content = with_credentials(_with_foreign_metadata(kind))

    assert without_description(embed(content, description(), level="full").content) == content


def test_taken_out_of_a_webp_nothing_of_it_is_left() -> None:
    content = embed(painted("webp"), description(), level="full").content

    bare = without_description(content)

    assert b"flux2batch" not in bare
    assert pixels(bare) == pixels(painted("webp"))


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("kind", FORMATS)
def test_a_hostile_prompt_is_text_and_nothing_else(kind: str, name: str) -> None:
    prompt = HOSTILE[name]
    told = description(prompt=prompt, final_prompt=None, coordinates={"a": (prompt[:50], prompt[:50])})

    described = embed(painted(kind), told, level="full").content

    assert pixels(described) == pixels(painted(kind))
    assert isinstance(check(described, asked_format=kind.split()[0], asked_size=None), Checked)
    _, _, packet = described.partition(b'id="W5M0MpCehiHzreSzNTczkc9d"?>')
    ElementTree.fromstring(packet.partition(b"<?xpacket end")[0])
    back = description_in(described)
    assert back is not None
    if name == "long" and kind == "jpeg":  # a segment of a JPEG holds 64 kB
        assert back.prompt
        assert prompt.startswith(back.prompt)
        assert len(back.prompt) > 5_000
    else:
        assert back == told
    assert without_description(described).count(b"flux2batch") == 0


@pytest.mark.parametrize("kind", FORMATS)
def test_other_programs_find_the_prompt_where_they_look_for_it(kind: str) -> None:
    described = embed(painted(kind), description(), level="full").content

    with Image.open(io.BytesIO(described)) as opened:
        opened.load()
        xmp = opened.info["XML:com.adobe.xmp"] if kind == "png" else opened.info["xmp"].decode()
        if kind == "png":
            shown, told = opened.info["Description"], opened.info["parameters"]
        else:
            exif = opened.getexif()
            shown = exif[0x010E]
            told = exif.get_ifd(0x8769)[0x9286].removeprefix(b"UNICODE\0").decode("utf-16-be")

    assert shown == "a red fox asleep in snow"
    assert told == (
        "a red fox asleep in snow\nSteps: 20, CFG scale: 2.5, Seed: 7, Size: 96x64,"
        " Model: bfl/flux-2-flex, Version: flux2batch 0.1.0"
    )
    tree = ElementTree.fromstring(xmp.partition("?>")[2].rpartition("<?")[0])
    said = {element.tag.rpartition("}")[2]: (element.text or "") for element in tree.iter()}
    assert said["DigitalSourceType"].endswith("/trainedAlgorithmicMedia")
    assert said["li"] == "a red fox asleep in snow"
    assert said["CreatorTool"] == "flux2batch 0.1.0"


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("level", ["full", "minimal"])
def test_a_stand_in_of_the_emulator_says_so(kind: str, level: Level) -> None:
    described = embed(painted(kind), description(emulated=True), level=level).content

    told = description_in(described)

    assert told is not None
    assert told.emulated
    assert b"algorithmicMedia" in described
    assert b"trainedAlgorithmicMedia" not in described
    assert b"a stand-in, not a generated picture" in described


@pytest.mark.parametrize("kind", FORMATS)
def test_content_credentials_stay_and_it_is_said_that_they_do_not_cover_the_file_any_more(kind: str) -> None:
    content = with_credentials(painted(kind))
    manifest = _credentials(content)
    assert manifest

    for level in LEVELS:
        described = embed(content, description(), level=level)

        assert _credentials(described.content) == manifest
        assert described.unsealed == (level != "none")
    assert not embed(painted(kind), description(), level="full").unsealed


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp"])
def test_what_others_wrote_stays(kind: str) -> None:
    described = embed(_with_foreign_metadata(kind), description(), level="full").content

    assert description_in(described) == description()
    with Image.open(io.BytesIO(described)) as opened:
        opened.load()
        if kind == "png":
            assert opened.info["Comment"] == "theirs"
            packet = opened.info["XML:com.adobe.xmp"]
        else:
            exif = opened.getexif()
            assert exif[0x010F] == "A camera"
            assert exif[0x0112] == 6
            assert exif.get_ifd(0x8769)[0x829D] == 2.8
            packet = opened.info["xmp"].decode()
    assert "theirs:rating" in packet
    assert packet.count("f2b:record>") == 2
    assert packet.count("</rdf:RDF>") == 1


@pytest.mark.parametrize("order", [b"II*\0", b"MM\0*"])
@pytest.mark.parametrize("rest", [b"", b"\xff" * 4, b"\0\0\0\x08\xff\xff", b"\x08\0\0\0\x01\0" + b"\xff" * 9])
def test_broken_exif_of_others_is_left_alone(order: bytes, rest: bytes) -> None:
    buffer = io.BytesIO()
    image((32, 32)).save(buffer, "JPEG", exif=b"Exif\0\0" + order + rest)

    described = embed(buffer.getvalue(), description(), level="full").content

    assert b"Exif\0\0" + order + rest in described
    assert description_in(described) == description()


def test_a_picture_without_a_description_has_none(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(painted("png"))
    (tmp_path / "b.png").write_bytes(b"no picture")

    assert read_description(tmp_path / "a.png") is None
    assert read_description(tmp_path / "b.png") is None
    assert read_description(tmp_path / "c.png") is None


@pytest.mark.parametrize(
    "record",
    [b"[]", b"{}", b"null", b'{"flux2batch": 1}', b"[" * 100_000, b'{"flux2batch":"1","shot":[],"frame":1,"model":""}'],
)
def test_a_forged_description_is_no_description(tmp_path: Path, record: bytes) -> None:
    (tmp_path / "a.png").write_bytes(painted("png"))
    (tmp_path / "a.png.json").write_bytes(record)

    assert read_description(tmp_path / "a.png") is None


# The sidecar, and what a description is made of.


@pytest.mark.parametrize("name", HOSTILE)
def test_a_sidecar_is_plain_ascii_without_markup_and_says_the_same(tmp_path: Path, name: str) -> None:
    told = description(prompt=HOSTILE[name])
    (tmp_path / "a.png").write_bytes(painted("png"))
    (tmp_path / "a.png.json").write_bytes(sidecar(told, "full"))

    text = (tmp_path / "a.png.json").read_text(encoding="ascii")

    assert not set("<>&") & set(text)
    assert json.loads(text) == facts(told, "full")
    assert read_description(tmp_path / "a.png") == told


KEY = "bfl_0123456789abcdef"


def test_a_description_holds_no_key_and_no_path_of_this_machine() -> None:
    intended = Intended(
        take=1,
        reserve=Money(Decimal("0.06")),
        estimate=Money(Decimal("0.06")),
        model="bfl/flux-2-flex",
        endpoint="/v1/flux-2-flex",
        prompt=f"a fox, and by mistake {KEY}",
        params={"width": 96, "height": 64, "steps": 20, "webhook_url": "https://x.test/?k=1", "webhook_secret": KEY},
        references=("logo /home/anna/refs/my logo.png " + "ab" * 32, "sky #FF0000 " + "cd" * 32),
        coordinates={
            "look": ("a", "/home/anna/refs/a.png"),
            "other": ("b", "C:\\Users\\anna\\b.png"),
            "p": ("1/2", "1/2"),
        },
        repeat=1,
        paths=("a.png",),
        frames=1,
        trim=None,
    )
    now = datetime(2026, 1, 1, tzinfo=UTC)
    life = advance(UNBORN, intended, at=now)

    told = describe(ShotId("a" * 32), life, frame=0, job=f"study {KEY}", emulated=False, secrets=(KEY,))

    text = json.dumps(facts(told, "full"))
    for private in (KEY, "anna", "home", "Users", "webhook", "my logo"):
        assert private not in text
    assert told.references == (("logo", "ab" * 32), ("sky", "cd" * 32))
    assert told.coordinates == {"look": ("a", "a.png"), "other": ("b", "b.png"), "p": ("1/2", "1/2")}
    assert told.prompt == "a fox, and by mistake ****"


def test_a_description_says_what_the_service_did_with_seed_prompt_and_price() -> None:
    from dataclasses import replace

    charge = Charge(usd=Money(Decimal("0.045")), source="cost", megapixels_in=None, megapixels_out=None)
    rendered = Rendered(frames=(), expires_at=None, seed=4711, prompt="A fox, better said", charge=charge, details={})
    intended = Intended(
        take=1, reserve=charge.usd, estimate=charge.usd, model="bfl/flux-2-flex", endpoint="/", prompt="a fox",
        params={"seed": 1}, references=(), coordinates={}, repeat=1, paths=("a.png",), frames=1, trim=None,
    )  # fmt: skip
    life = replace(UNBORN, intended=intended, rendered=rendered, charge=charge)

    told = describe(ShotId("a" * 32), life, frame=2, job="study", emulated=True, secrets=())

    assert (told.seed, told.prompt, told.final_prompt) == (4711, "a fox", "A fox, better said")
    assert (told.cost_usd, told.frame, told.emulated) == ("0.045", 3, True)


def _with_foreign_metadata(kind: str) -> bytes:
    packet = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:theirs="urn:theirs" theirs:rating="5"/></rdf:RDF></x:xmpmeta>'
    )
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "A camera", 6
    exif.get_ifd(0x8769)[0x829D] = 2.8
    buffer = io.BytesIO()
    if kind == "png":
        texts = PngImagePlugin.PngInfo()
        texts.add_text("Comment", "theirs")
        texts.add_itxt("XML:com.adobe.xmp", packet)
        image((96, 64)).save(buffer, "PNG", pnginfo=texts)
    else:
        image((96, 64)).save(buffer, kind.upper(), exif=exif, xmp=packet.encode())
    return buffer.getvalue()


def _credentials(content: bytes) -> bytes:
    found = parts.take_apart(content)
    assert not isinstance(found, parts.Broken)
    return b"".join(part.body(content) for part in found if part.kind in ("APP11", "caBX", "C2PA"))
