"""Rows S11 to S20 of the security matrix: what a job's references may never do. One test a row."""

from __future__ import annotations

import io
import os
import random
import struct
import subprocess
import sys
import threading
import zlib
from pathlib import Path

import pytest
from PIL import Image, ImageCms, PngImagePlugin

from flux2batch.client_result import ResultImage
from flux2batch.pictures.checking import Checked, check
from flux2batch.planning.files import globs
from flux2batch.planning.files.folder import FileFault, JobFolder
from flux2batch.planning.references.decoding import Examined, examine
from flux2batch.planning.references.picture import Picture
from flux2batch.planning.references.preparing import prepare
from flux2batch.planning.references.recent import Recent
from flux2batch.planning.references.shelf import ReferenceShelf
from flux2batch.reading.job import ReferenceSource
from flux2batch.reading.problems import exit_code

SECRET = b"CANARY-0c1e9f"


def source(**set: object) -> ReferenceSource:
    empty = {"path": None, "glob": None, "max": None, "color": None, "collage": None, "optional": False}
    return ReferenceSource(name="face", steps=("references", "face"), **{**empty, **set})


def refused(shelf: ReferenceShelf, **set: object) -> tuple[str, int, str]:
    """The code, the exit code and the words with which a reference is refused."""
    references, problems = shelf.resolve(source(**set))
    assert references == (), set
    return problems[0].code, exit_code(problems), problems[0].headline


def saved(image: Image.Image, format: str, **how: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **how)
    return buffer.getvalue()


def picture(shade: int = 128) -> Image.Image:
    return Image.linear_gradient("L").resize((96, 80)).point(lambda value: value * shade // 255).convert("RGB")


@pytest.fixture
def root(tmp_path) -> Path:
    root = tmp_path / "job"
    (root / "refs").mkdir(parents=True)
    (root / "refs" / "face.png").write_bytes(saved(picture(), "PNG"))
    (tmp_path / "secret.png").write_bytes(saved(picture(255), "PNG"))
    (tmp_path / "id_rsa").write_bytes(b"-----BEGIN OPENSSH PRIVATE KEY-----\n" + SECRET)
    return root


@pytest.fixture
def shelf(root) -> ReferenceShelf:
    return ReferenceShelf(JobFolder(root))


TRAVERSALS = [
    "../secret.png",
    "../../.ssh/id_rsa",
    "refs/../../secret.png",
    "refs/./.././../secret.png",
    "./../secret.png",
    "/etc/passwd",
    "//etc/passwd",
    "~/.ssh/id_rsa",
    "~root/.ssh/id_rsa",
    "file:///etc/passwd",
    "FILE://localhost/etc/passwd",
    "refs/face.png\0/../../../secret.png",
    "..\\secret.png",
    "refs\\..\\..\\secret.png",
    "C:\\Windows\\win.ini",
    "C:/Windows/win.ini",
    "C:win.ini",
    "\\\\server\\share\\x.png",
    "//server/share/x.png",
    "\\\\?\\C:\\x.png",
]


@pytest.mark.parametrize("path", TRAVERSALS)
def test_s11_no_path_leads_out_of_the_folder(root, shelf, path):
    assert refused(shelf, path=path)[:2] == ("FB702", 4)
    assert refused(shelf, glob=path)[:2] == ("FB702", 4)
    assert refused(shelf, collage=(path,))[:2] == ("FB702", 4)
    # The walk itself refuses as well, should the judgement of the text ever be fooled.
    assert isinstance(shelf.folder.reopen(str(root / path.replace("\0", ""))), FileFault)


@pytest.mark.parametrize("target", ["../secret.png", "../../secret.png", "face.png", "/etc/passwd", "."])
def test_s12_no_link_is_followed(root, shelf, target):
    (root / "refs" / "file.png").symlink_to(target)
    (root / "folder").symlink_to(target, target_is_directory=True)

    paths, patterns = ("refs/file.png", "folder/face.png"), ("refs/*.png", "folder/*")
    for written in (*({"path": path} for path in paths), *({"glob": pattern} for pattern in patterns)):
        code, exit, words = refused(shelf, **written)
        assert (code, exit) == ("FB702", 4), written
        assert "symlink" in words


@pytest.mark.parametrize("swapped", ["the file", "its folder"])
def test_s13_a_picture_swapped_in_behind_our_back_is_never_sent(root, tmp_path, swapped):
    """Seen red with the comparison of hashes in preparing.py left out."""
    shelf = ReferenceShelf(JobFolder(root))
    ((planned,), _) = shelf.resolve(source(path="refs/face.png"))
    honest = prepare(planned, shelf)
    (tmp_path / "evil").mkdir()
    (tmp_path / "evil" / "face.png").write_bytes((tmp_path / "secret.png").read_bytes())
    (tmp_path / "aside").mkdir()
    stop = threading.Event()

    def swap_file() -> None:
        path, spare, good = root / "refs" / "face.png", root / "spare", (root / "refs" / "face.png").read_bytes()
        for turn in range(1_000_000):
            if stop.is_set():
                return
            if turn % 3 == 0:
                spare.symlink_to(tmp_path / "secret.png")
            elif turn % 3 == 1:
                spare.write_bytes((tmp_path / "secret.png").read_bytes())
            else:
                spare.write_bytes(good)
            spare.replace(path)

    def swap_folder() -> None:
        while not stop.is_set():
            (root / "refs").rename(tmp_path / "aside" / "refs")
            (root / "refs").symlink_to(tmp_path / "evil")
            (root / "refs").unlink()
            (tmp_path / "aside" / "refs").rename(root / "refs")

    swapper = threading.Thread(target=swap_file if swapped == "the file" else swap_folder)
    swapper.start()
    try:
        answers = []
        for _ in range(10_000):
            shelf.recent = Recent(max_bytes=0)  # or only the first would be opened
            answers.append(prepare(planned, shelf))
    finally:
        stop.set()
        swapper.join()

    assert {answer for answer in answers if isinstance(answer, Picture)} <= {honest}
    assert {answer.code for answer in answers if isinstance(answer, FileFault)} <= {"FB411", "FB702", "FB401", "FB412"}


def test_s14_only_pictures_leave_the_machine(root, shelf, tmp_path):
    secrets = {
        "key.png": b"-----BEGIN OPENSSH PRIVATE KEY-----\n" + SECRET,
        "env.png": b"BFL_API_KEY=" + SECRET,
        "db.jpg": b"SQLite format 3\0" + bytes(100) + SECRET,
        "polyglot.png": b"\x89PNG\r\n\x1a\n" + SECRET,
        "polyglot.jpg": b"\xff\xd8\xff\xe0" + SECRET,
        "polyglot.webp": b"RIFF\x20\0\0\0WEBP" + SECRET,
        "nothing.webp": b"RIFF",
    }
    for name, content in secrets.items():
        (root / name).write_bytes(content)
        code, exit, words = refused(shelf, path=name)
        assert code in ("FB405", "FB406"), name
        assert exit == 3
        assert SECRET.decode() not in words
    os.link(tmp_path / "id_rsa", root / "hard.png")
    assert refused(shelf, path="hard.png")[:2] == ("FB405", 3)


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def secretive_exif(orientation: int) -> bytes:
    """A maker's note, a position and a thumbnail that hold the secret."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010E] = "description " + SECRET.decode()
    exif.get_ifd(0x8825)[0x001D] = "gps " + SECRET.decode()
    return exif.tobytes() + b"thumbnail \xff\xd8" + SECRET + b"\xff\xd9"


def secretive_profile() -> bytes:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return profile + SECRET


def secretive_png(orientation: int) -> bytes:
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", SECRET.decode())
    text.add_text("Packed", SECRET.decode() * 9, zip=True)
    text.add_itxt("XML:com.adobe.xmp", SECRET.decode())
    plain = saved(picture(), "PNG", pnginfo=text, exif=secretive_exif(orientation), icc_profile=secretive_profile())
    end = plain.index(b"IEND") - 4
    hidden = png_chunk(b"prVt", SECRET) + png_chunk(b"tIME", SECRET[:7])
    return plain[:end] + hidden + plain[end:] + SECRET + png_chunk(b"IDAT", SECRET)


def secretive_jpeg(orientation: int) -> bytes:
    plain = saved(
        picture(), "JPEG", exif=secretive_exif(orientation), icc_profile=secretive_profile(), comment=SECRET, xmp=SECRET
    )

    def segment(marker: int, body: bytes) -> bytes:
        return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body

    hidden = [
        segment(0xE0, b"JFXX\0\x10" + SECRET),
        segment(0xED, b"Photoshop 3.0\0" + SECRET),
        segment(0xE2, b"MPF\0" + SECRET),
        segment(0xEB, b"JP" + SECRET),
        segment(0xEE, b"Adobe\0\x64\0\0\0\0\x01" + SECRET),
        SECRET,  # between two segments
    ]
    return plain[:2] + b"".join(hidden) + plain[2:] + SECRET + plain


def secretive_webp(orientation: int) -> bytes:
    plain = saved(
        picture(), "WEBP", exif=secretive_exif(orientation), icc_profile=secretive_profile(), xmp=SECRET, quality=90
    )
    extra = b"prVt" + struct.pack("<I", len(SECRET)) + SECRET + b"\0" * (len(SECRET) % 2)
    return b"RIFF" + struct.pack("<I", len(plain) - 8 + len(extra)) + plain[8:] + extra + SECRET


@pytest.mark.parametrize("orientation", [1, 6], ids=["upright", "turned"])
@pytest.mark.parametrize("make", [secretive_png, secretive_jpeg, secretive_webp], ids=["PNG", "JPEG", "WebP"])
def test_s15_nothing_but_the_picture_is_sent(root, shelf, make, orientation):
    original = make(orientation)
    (root / "x.bin").write_bytes(original)
    ((planned,), _) = shelf.resolve(source(path="x.bin"))
    ((board,), _) = shelf.resolve(source(collage=("x.bin",)))
    assert original.count(SECRET) >= 5

    for reference in (planned, board):
        sent = prepare(reference, shelf)
        assert isinstance(sent, Picture), sent
        assert SECRET not in sent.content
        image = Image.open(io.BytesIO(sent.content))
        image.load()
        assert {"exif", "xmp", "icc_profile", "comment", "photoshop"}.isdisjoint(image.info)
        assert not image.getexif()


def test_s16_nothing_that_is_not_a_plain_file_of_bounded_size_is_read(root, shelf):
    os.mkfifo(root / "pipe.png")
    with (root / "sparse.png").open("wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        file.truncate(1 << 42)
    devices = ReferenceShelf(JobFolder(root, (Path("/dev"),)))

    assert refused(shelf, path="pipe.png")[:2] == ("FB404", 3)
    assert refused(shelf, path="sparse.png")[:2] == ("FB407", 3)
    assert refused(devices, path="/dev/zero")[:2] == ("FB404", 3)
    assert refused(devices, path="/dev/stdin")[0] in ("FB404", "FB702")


def test_s17_a_glob_is_bounded(root, shelf, monkeypatch):
    for number in range(600):
        (root / "refs" / f"{number}.jpg").touch()
    assert refused(shelf, glob="refs/*.jpg")[:2] == ("FB403", 3)
    assert refused(shelf, glob="/**/*")[:2] == ("FB702", 4)

    (root / "loop").symlink_to(".")
    assert refused(shelf, glob="loop/**/*.jpg")[:2] == ("FB702", 4)
    assert shelf.folder.glob("**/face.png") == ("refs/face.png",)

    deep = root / "deep"
    for _ in range(80):
        deep = deep / "d"
    deep.mkdir(parents=True)
    (deep / "x.gif").touch()
    assert refused(shelf, glob="deep/**/*.gif")[0] == "FB402"

    monkeypatch.setattr(globs, "MAX_VISITED", 500)
    code, _, words = refused(shelf, glob="**/f*.png")
    assert (code, "500 files" in words) == ("FB403", True)


def test_s18_every_file_that_would_be_uploaded_is_listed_with_its_size(root, shelf):
    (root / "refs" / "b.jpg").write_bytes(saved(picture(), "JPEG"))
    references = [
        *shelf.resolve(source(glob="refs/*"))[0],
        *shelf.resolve(source(collage=("refs/b.jpg",)))[0],
        *shelf.resolve(source(path="https://example.com/a.png"))[0],
    ]

    assert [(u.path, u.file_bytes) for u in shelf.uploads(references)] == [
        (name, (root / name).stat().st_size) for name in ("refs/b.jpg", "refs/face.png")
    ]


def bomb_png(side: int) -> bytes:
    """A whole PNG, all zeros: some kilobytes that unpack to a hundred million pixels and more."""
    squeeze = zlib.compressobj(9)
    rows = b"".join([*(squeeze.compress(bytes(1 + side // 8)) for _ in range(side)), squeeze.flush()])
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    body = png_chunk(b"IHDR", header) + png_chunk(b"IDAT", rows) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def bomb_jpeg() -> bytes:
    """A small JPEG whose header says 65535x65535."""
    plain = bytearray(saved(picture(), "JPEG"))
    frame = plain.index(b"\xff\xc0")
    plain[frame + 5 : frame + 9] = b"\xff\xff\xff\xff"
    return bytes(plain)


def scan_bomb_jpeg() -> bytes:
    """A progressive JPEG that draws its last pass ten thousand times."""
    plain = saved(picture(), "JPEG", progressive=True)
    last = plain.rindex(b"\xff\xda")
    return plain[:last] + 10_000 * plain[last:-2] + b"\xff\xd9"


def bomb_apng() -> bytes:
    plain = saved(picture(), "PNG")
    frames = b"".join(
        png_chunk(b"fcTL", struct.pack(">IIIIIHHBB", n, 96, 80, 0, 0, 1, 10, 0, 0)) for n in range(10_000)
    )
    return plain[:33] + png_chunk(b"acTL", struct.pack(">II", 10_000, 0)) + frames + plain[33:]


def bomb_webp() -> bytes:
    frame = saved(picture(), "WEBP")[12:]
    canvas = b"\x02\0\0\0" + (95).to_bytes(3, "little") + (79).to_bytes(3, "little")
    placed = struct.pack("<I", 0)[:3] * 2 + canvas[4:] + b"\x0a\0\0\0" + frame
    chunk = b"ANMF" + struct.pack("<I", len(placed)) + placed + b"\0" * (len(placed) % 2)
    body = b"WEBPVP8X\x0a\0\0\0" + canvas + b"ANIM\x06\0\0\0" + bytes(6) + 10_000 * chunk
    return b"RIFF" + struct.pack("<I", len(body)) + body


def text_bomb_png() -> bytes:
    """Text and a profile that unpack to a hundred megabytes each."""
    plain = saved(picture(), "PNG")
    packed = zlib.compress(bytes(100_000_000), 9)
    return plain[:33] + png_chunk(b"zTXt", b"a\0\0" + packed) + png_chunk(b"iCCP", b"a\0\0" + packed) + plain[33:]


BOMBS = {
    "12000.png": (lambda: bomb_png(12_000), "FB407"),
    "20000.png": (lambda: bomb_png(20_000), "FB407"),
    "65535.jpg": (bomb_jpeg, "FB407"),
    "scans.jpg": (scan_bomb_jpeg, "FB406"),
    "frames.png": (bomb_apng, "FB405"),
    "frames.webp": (bomb_webp, "FB405"),
    "text.png": (text_bomb_png, None),  # taken: its picture is honest, and the rest is never unpacked
}

_EXAMINE = """
import sys
from pathlib import Path
from flux2batch.planning.references.decoding import Examined, examine
answer = examine(Path(sys.argv[1]).read_bytes())
# Not ru_maxrss: Linux counts in it what the process that started this one held.
status = Path("/proc/self/status")
peak = status.read_text().split("VmHWM:")[1].split()[0] if status.exists() else 0
print(getattr(answer, "code", None), peak)
"""


@pytest.mark.parametrize("name", BOMBS)
def test_s19_a_bomb_is_refused_before_it_unpacks(tmp_path, name):
    make, code = BOMBS[name]
    path = tmp_path / name
    path.write_bytes(make())

    done = subprocess.run([sys.executable, "-c", _EXAMINE, path], capture_output=True, text=True, timeout=5, check=True)

    got, kilobytes = done.stdout.split()
    assert got == str(code)
    if sys.platform == "linux":
        assert int(kilobytes) < 300_000


def icns() -> bytes:
    inner = b"ic07" + struct.pack(">I", 8 + 4) + bytes(4)
    return b"icns" + struct.pack(">I", 8 + len(inner)) + inner


OTHER_FORMATS = {
    "EPS": (lambda: saved(picture(), "EPS"), "PostScript"),
    "EPS with a preview": (lambda: b"\xc5\xd0\xd3\xc6" + bytes(28), "EPS"),
    "PSD": (lambda: b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 3, 8, 8, 8, 3) + bytes(600), "Photoshop"),
    "TIFF": (lambda: saved(picture(), "TIFF"), "TIFF"),
    "ICNS": (icns, "Apple icon"),
    "ICO": (lambda: saved(picture(), "ICO"), "Windows icon"),
    "SVG": (lambda: b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>', "SVG"),
    "GIF": (lambda: saved(picture(), "GIF"), "GIF"),
    "BMP": (lambda: saved(picture(), "BMP"), "BMP"),
    "PDF": (lambda: saved(picture(), "PDF"), "PDF"),
    "JPEG 2000": (lambda: saved(picture(), "JPEG2000"), "JPEG 2000"),
    "a page": (lambda: b"<!DOCTYPE html><script>1</script>", "web page"),
    "an archive": (lambda: b"PK\3\4" + bytes(40), "ZIP"),
}


@pytest.mark.parametrize("format", OTHER_FORMATS)
def test_s20_no_decoder_but_three_is_ever_asked(root, shelf, format, monkeypatch):
    asked: list[object] = []
    pillow = Image.open
    monkeypatch.setattr(Image, "open", lambda *args, **how: (asked.append(how.get("formats")), pillow(*args, **how))[1])
    make, kind = OTHER_FORMATS[format]
    content = make()
    asked.clear()
    (root / "disguised.png").write_bytes(content)

    code, exit, words = refused(shelf, path="disguised.png")

    assert (code, exit) == ("FB405", 3)
    assert kind in words
    assert asked == []
    shelf.resolve(source(path="refs/face.png"))
    assert asked == [("PNG",)]


@pytest.mark.parametrize("make", [secretive_png, secretive_jpeg, secretive_webp], ids=["PNG", "JPEG", "WebP"])
def test_s20_damaged_bytes_are_answered_and_never_raised(make):
    """A few thousand files with bytes changed, left out and doubled, the same ones each time."""
    chance = random.Random(20)
    original = make(6)
    answers: set[str] = set()

    for _ in range(1500):
        content = bytearray(original)
        for _ in range(chance.randint(1, 4)):
            spot = chance.randrange(min(len(content), chance.choice([60, 600, len(content)])))
            cut = content[spot : spot + chance.randint(1, 40)]
            match chance.randrange(4):
                case 0:
                    content[spot] = chance.randrange(256)
                case 1:
                    del content[spot : spot + len(cut)]
                case 2:
                    content[spot:spot] = cut
                case 3:
                    content[spot : spot + 4] = chance.choice([b"\xff\xff\xff\xff", bytes(4), b"\x7f\xff\xff\xff"])
        answers.add(getattr(examine(bytes(content)), "code", "taken"))

    assert {"taken", "FB406"} <= answers <= {"taken", "FB405", "FB406", "FB407"}


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP"])
def test_s20_no_decoder_but_the_one_that_the_first_bytes_call_for_is_even_asked(format, monkeypatch):
    """Pillow asks every decoder it knows, PostScript's among them, unless it is told which it may."""
    asked: list[bytes] = []
    monkeypatch.setattr(Image, "ID", ["STRANGER", *Image.ID])
    monkeypatch.setitem(Image.OPEN, "STRANGER", (None, lambda prefix: bool(asked.append(prefix))))
    content = saved(picture(), format)

    client = ResultImage(content=content, media_type=f"image/{format.lower()}", width=96, height=80, nsfw=False)

    assert isinstance(examine(content), Examined)
    assert isinstance(check(content, asked_format=format.lower(), asked_size=None), Checked)
    assert client.pil().size == (96, 80)
    assert asked == []
