"""The door to files: what it opens, what it refuses, and that it never follows a link."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

import pytest

from flux2batch.planning.files import directories, globs
from flux2batch.planning.files.folder import FileFault, JobFolder, OpenFile


@pytest.fixture(autouse=True, params=["openat", "by path"])
def system(request, monkeypatch):
    """Both ways of walking: with openat, and the careful one for systems without it."""
    if request.param == "by path":
        monkeypatch.setattr(directories, "HAS_OPENAT", False)


@pytest.fixture
def root(tmp_path) -> Path:
    root = tmp_path / "jobs"
    (root / "refs" / "deep").mkdir(parents=True)
    (root / "refs" / "face.png").write_bytes(b"face")
    (root / "refs" / "deep" / "eye.png").write_bytes(b"eye")
    (tmp_path / "secret.txt").write_bytes(b"SECRET")
    return root


def fault(answer: OpenFile | tuple[str, ...] | FileFault) -> tuple[str, str, str | None]:
    assert isinstance(answer, FileFault), answer
    return answer.code, answer.message, answer.help


# --- what is opened ---


@pytest.mark.parametrize(
    ("written", "shown", "content"),
    [
        ("refs/face.png", "refs/face.png", b"face"),
        ("./refs//face.png", "refs/face.png", b"face"),
        ("refs/deep/../face.png", "refs/face.png", b"face"),
        ("refs/deep/eye.png", "refs/deep/eye.png", b"eye"),
    ],
)
def test_a_file_of_the_folder_is_read_once_and_whole(root, written, shown, content):
    answer = JobFolder(root).open(written)

    assert isinstance(answer, OpenFile)
    assert (answer.path, answer.content, answer.absolute) == (shown, content, str(root / shown))


def test_paths_are_relative_to_the_job_file_and_reach_the_whole_job_folder(root):
    (root / "spring").mkdir()
    folder = JobFolder(root, folder=root / "spring")

    answer = folder.open("../refs/face.png")
    assert isinstance(answer, OpenFile)
    assert (answer.path, answer.content) == ("../refs/face.png", b"face")
    assert folder.glob("../refs/*.png") == ("../refs/face.png",)
    assert fault(folder.open("../../secret.txt"))[0] == "FB702"


def test_an_allowed_folder_is_open_by_its_absolute_and_its_relative_path(root, tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "logo.png").write_bytes(b"logo")
    folder = JobFolder(root, (shared,))

    for written in (str(shared / "logo.png"), "../shared/logo.png"):
        answer = folder.open(written)
        assert isinstance(answer, OpenFile)
        assert (answer.path, answer.content) == (written, b"logo")
    assert fault(JobFolder(root).open("../shared/logo.png"))[0] == "FB702"


def test_the_root_itself_may_be_reached_through_a_link_of_the_user(root, tmp_path):
    (tmp_path / "shortcut").symlink_to(root)

    assert isinstance(JobFolder(tmp_path / "shortcut").open("refs/face.png"), OpenFile)


# --- what is refused: path, code, a word of the message, the help ---


REFUSED = [
    # written                       code     says                   help
    ("refs/fase.png", "FB401", "no such file 'refs/fase.png'", "did you mean 'refs/face.png'?"),
    ("ref/face.png", "FB401", "no such file 'ref/face.png'", "did you mean 'refs/face.png'?"),
    ("refs/face.png/x", "FB401", "no such file", "'refs/face.png' is not a folder"),
    ("", "FB401", "empty", None),
    ("refs", "FB404", "'refs' is a folder", "did you mean 'refs/*'?"),
    (".", "FB404", "is a folder", "did you mean './*'?"),
    ("../secret.txt", "FB702", "outside the job's folder", "--allow-path"),
    ("refs/../../secret.txt", "FB702", "outside", "--allow-path"),
    ("/etc/passwd", "FB702", "outside", "--allow-path /etc"),
    ("~/.ssh/id_rsa", "FB702", "home folder", "copy"),
    ("~root/x", "FB702", "home folder", "copy"),
    ("file:///etc/passwd", "FB702", "file URL", "path"),
    ("FILE:x.png", "FB702", "file URL", "path"),
    ("https://example.com/a.png", "FB702", "URL", "path"),
    ("refs/face.png\0.txt", "FB702", "control character", "without"),
    ("refs/fa\nce.png", "FB702", "control character", "without"),
    (r"refs\face.png", "FB702", "backslash", "write refs/face.png"),
    (r"C:\Users\me\face.png", "FB702", "drive or a server", "copy"),
    ("C:face.png", "FB702", "drive or a server", "copy"),
    ("c:/face.png", "FB702", "drive or a server", "copy"),
    (r"\\server\share\face.png", "FB702", "drive or a server", "copy"),
    ("//server/share/face.png", "FB702", "drive or a server", "copy"),
]


@pytest.mark.parametrize(("written", "code", "says", "remedy"), REFUSED, ids=[repr(row[0]) for row in REFUSED])
def test_what_is_no_file_of_the_folder_is_refused(root, written, code, says, remedy):
    got_code, message, help = fault(JobFolder(root).open(written))

    assert got_code == code
    assert says in message
    assert (remedy in (help or "")) if remedy else help is None


def test_an_absolute_path_into_the_folder_is_answered_with_the_relative_one(root):
    assert fault(JobFolder(root).open(str(root / "refs/face.png"))) == (
        "FB702",
        f"'{root / 'refs/face.png'}' is an absolute path",
        "write it from the job file: refs/face.png",
    )


def test_a_neighbour_that_only_begins_with_the_same_name_is_outside(root, tmp_path):
    (tmp_path / "jobs-of-others").mkdir()
    (tmp_path / "jobs-of-others" / "x.png").write_bytes(b"x")

    assert fault(JobFolder(root).open("../jobs-of-others/x.png"))[0] == "FB702"


@pytest.mark.parametrize("target", ["../../secret.txt", "face.png", "nowhere"])
def test_a_link_is_refused_wherever_it_leads(root, target):
    (root / "refs" / "link.png").symlink_to(target)

    code, message, help = fault(JobFolder(root).open("refs/link.png"))

    assert (code, message) == ("FB702", "'refs/link.png' is a symlink, and none is followed")
    assert help


def test_a_link_on_the_way_is_refused_and_named(root, tmp_path):
    (root / "out").symlink_to(tmp_path)

    assert fault(JobFolder(root).open("out/secret.txt"))[:2] == (
        "FB702",
        "'out' is a symlink, and none is followed",
    )


def test_pipes_sockets_and_devices_are_refused_without_waiting_for_them(root):
    os.mkfifo(root / "pipe.png")
    here = Path.cwd()
    with socket.socket(socket.AF_UNIX) as listener:
        os.chdir(root)  # the name of a socket may be 100 bytes long
        listener.bind("sock.png")
        os.chdir(here)

    assert fault(JobFolder(root).open("pipe.png"))[0] == "FB404"
    assert fault(JobFolder(root).open("sock.png"))[0] == "FB404"
    assert fault(JobFolder(root, (Path("/dev"),)).open("/dev/zero"))[0] == "FB404"


def test_a_huge_file_is_refused_by_its_size_and_not_by_reading_it(root):
    with (root / "big.png").open("wb") as file:
        file.truncate(1 << 40)

    assert fault(JobFolder(root).open("big.png"))[0] == "FB407"
    assert fault(JobFolder(root).open("refs/face.png", max_bytes=3))[0] == "FB407"
    assert isinstance(JobFolder(root).open("refs/face.png", max_bytes=4), OpenFile)


def test_a_file_that_says_it_is_empty_is_still_bounded():
    """Files of /proc have the size 0 and content all the same."""
    proc = Path("/proc/self")
    if not proc.is_dir():
        pytest.skip("there is no /proc here")

    assert fault(JobFolder(proc.resolve()).open("status", max_bytes=10))[0] == "FB407"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_says_so(root):
    (root / "refs" / "face.png").chmod(0)

    assert fault(JobFolder(root).open("refs/face.png"))[0] == "FB412"


def test_a_link_swapped_in_between_two_looks_is_never_followed(root, tmp_path):
    """A thread swaps the file for a link to a secret as fast as it can."""
    path, spare = root / "refs" / "swapped.png", root / "spare"
    path.write_bytes(b"honest")
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            spare.symlink_to(tmp_path / "secret.txt")
            spare.replace(path)
            spare.write_bytes(b"honest")
            spare.replace(path)

    swapper = threading.Thread(target=swap)
    swapper.start()
    try:
        answers = [JobFolder(root).open("refs/swapped.png") for _ in range(1000)]
    finally:
        stop.set()
        swapper.join()

    contents = {answer.content for answer in answers if isinstance(answer, OpenFile)}
    codes = {answer.code for answer in answers if isinstance(answer, FileFault)}
    assert b"SECRET" not in contents
    assert codes <= {"FB702", "FB412", "FB401"}


# --- globs ---


@pytest.fixture
def views(root) -> JobFolder:
    for name in ("b.jpg", "a.jpg", "c.jpeg", "Z.jpg", ".hidden.jpg", "ä.jpg", "a10.jpg", "a2.jpg", "[x].jpg"):
        (root / "refs" / name).write_bytes(b"x")
    (root / "refs" / "deep" / "d.jpg").write_bytes(b"x")
    (root / ".git").mkdir()
    (root / ".git" / "e.jpg").write_bytes(b"x")
    return JobFolder(root)


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ("refs/*.jpg", ["Z.jpg", "[x].jpg", "a.jpg", "a10.jpg", "a2.jpg", "b.jpg", "ä.jpg"]),
        ("./refs/?.jpg", ["Z.jpg", "a.jpg", "b.jpg", "ä.jpg"]),
        ("refs/[ab].jpg", ["a.jpg", "b.jpg"]),
        ("refs/[!ab].jpg", ["Z.jpg", "ä.jpg"]),
        ("refs/[[]x].jpg", ["[x].jpg"]),
        ("r*s/c.*", ["c.jpeg"]),
        ("refs/.*.jpg", [".hidden.jpg"]),
        ("**/d.jpg", ["deep/d.jpg"]),
        ("refs/**/d.jpg", ["deep/d.jpg"]),
        ("refs/deep/**", ["deep/d.jpg", "deep/eye.png"]),
        ("refs/**/**/d.jpg", ["deep/d.jpg"]),
    ],
)
def test_a_glob_lists_files_in_the_order_of_their_names(views, pattern, matches):
    assert views.glob(pattern) == tuple(f"refs/{name}" for name in matches)


def test_a_glob_gives_the_first_of_its_matches(views):
    assert views.glob("refs/*.jpg", 2) == ("refs/Z.jpg", "refs/[x].jpg")


def test_the_order_does_not_depend_on_how_a_name_is_composed(root):
    for name in ("e\u0301.jpg", "ea.jpg", "f.jpg", "z.jpg"):
        (root / "refs" / name).write_bytes(b"x")

    assert JobFolder(root).glob("refs/*.jpg") == ("refs/ea.jpg", "refs/f.jpg", "refs/z.jpg", "refs/e\u0301.jpg")


NO_MATCH = [
    ("refs/*.PNG", "FB402", "nothing matches 'refs/*.PNG'", "1 match 'refs/*.png'"),
    ("refs/FACE.*", "FB402", "nothing matches", "'refs/face.png'"),
    ("refs/*.gif", "FB402", "nothing matches", None),
    ("nowhere/*", "FB402", "nothing matches", None),
    ("../*", "FB702", "outside", "--allow-path"),
    ("/*", "FB702", "outside", "--allow-path"),
]


@pytest.mark.parametrize(("pattern", "code", "says", "remedy"), NO_MATCH, ids=[row[0] for row in NO_MATCH])
def test_a_glob_without_a_match_says_what_would_match(root, pattern, code, says, remedy):
    got_code, message, help = fault(JobFolder(root).glob(pattern))

    assert got_code == code
    assert says in message
    assert (remedy in (help or "")) if remedy else help is None


def test_a_link_among_the_matches_is_refused_and_named(root):
    (root / "refs" / "link.png").symlink_to("face.png")

    assert fault(JobFolder(root).glob("refs/*.png"))[:2] == (
        "FB702",
        "'refs/link.png' is a symlink, and none is followed",
    )
    assert JobFolder(root).glob("refs/f*.png") == ("refs/face.png",)


def test_a_glob_does_not_walk_through_links(root, tmp_path):
    (root / "refs" / "loop").symlink_to(root)
    (root / "refs" / "out").symlink_to(tmp_path)

    assert JobFolder(root).glob("**/*.png") == ("refs/deep/eye.png", "refs/face.png")
    assert fault(JobFolder(root).glob("refs/out/*.txt"))[0] == "FB702"


def test_more_than_500_matches_are_refused_with_their_number(root):
    for number in range(501):
        (root / "refs" / f"{number:04}.jpg").touch()

    assert fault(JobFolder(root).glob("refs/*.jpg"))[:2] == (
        "FB403",
        "501 files match 'refs/*.jpg', and at most 500 may",
    )
    (root / "refs" / "0000.jpg").unlink()
    assert len(JobFolder(root).glob("refs/*.jpg")) == 500


def test_a_search_gives_up_after_so_many_names_and_not_after_so_many_seconds(root, monkeypatch):
    monkeypatch.setattr(globs, "MAX_VISITED", 3)

    code, message, help = fault(JobFolder(root).glob("**/*.png"))

    assert (code, message) == ("FB403", "'**/*.png' looks through more than 3 files")
    assert help


def test_a_name_that_no_file_can_have_is_a_missing_file(tmp_path: Path) -> None:
    fault = JobFolder(tmp_path).open(f"{'a' * 300}.png")

    assert isinstance(fault, FileFault)
    assert fault.code == "FB401"
