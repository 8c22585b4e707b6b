"""A job as a git revision has it: its folder, read out of the repository's objects into a folder of its own.

- Only plumbing is called, and only what reads: no checkout, no hook, no filter, no network, no index.
- What is written is regular files below a fresh folder of ours, by names that cannot lead out of it.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from flux2batch.errors import MachineError, UsageError
from flux2batch.reading.load import MARK
from flux2batch.reading.suggest import did_you_mean

MOST_BYTES = 32 * 1024 * 1024
"""Of one file: more than anything that a plan reads. What is larger is left out, as if it were not there."""

# A program that git itself started (a hook, an alias) inherits these; they would speak of another place than ours.
_OF_ANOTHER = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR", "GIT_NAMESPACE")
_QUIET = {
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_LAZY_FETCH": "1",  # a partial clone would fetch what it lacks
    "GIT_LITERAL_PATHSPECS": "1",
    "LC_ALL": "C",
}
_NEVER = ("-c", f"core.hooksPath={os.devnull}", "-c", "core.fsmonitor=false")
_POINTER = re.compile(rb"\Aversion https://git-lfs\.github\.com/spec/v1\n(?:.*\n)*?oid sha256:([0-9a-f]{64})\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobAtRevision:
    """A job as it stood at a revision."""

    commit: str  # its hash, in the short form
    file: Path | None  # None where there was no such file
    allowed: tuple[Path, ...]  # the further folders of the call, as they stood


@dataclass(frozen=True, slots=True, kw_only=True)
class _Blob:
    id: str
    size_bytes: int
    path: PurePosixPath  # from the top of the repository


@contextmanager
def job_at(revision: str, file: Path, *, allow_paths: Sequence[Path]) -> Iterator[JobAtRevision]:
    """The job in `file` as it stood at `revision`, with all that lies in its folder, for as long as one looks at it.

    Raises UsageError where there is no such revision or no repository, MachineError where there is no git.
    """
    folder = file.absolute().parent.resolve()
    repository = _Repository.around(folder)
    commit = repository.commit(revision)
    inside = repository.inside(folder)
    assert inside is not None, "BUG: the repository around a folder does not hold it"
    root = repository.root_at(commit, inside)
    allowed = [(path, repository.inside(path.absolute().resolve())) for path in allow_paths]
    with tempfile.TemporaryDirectory(prefix="flux2batch-") as made:
        top = Path(made).resolve() / "repository"
        top.mkdir()
        (top / ".git").mkdir()  # a mark is sought no higher than the repository's root, and this is ours
        for one in dict.fromkeys([root, *(at for _, at in allowed if at is not None)]):
            repository.write_out(commit, one, top)
        then = top.joinpath(*inside.parts, file.name)
        yield JobAtRevision(
            commit=commit[:7],
            file=then if then.is_file() else None,
            allowed=tuple(path if at is None else top.joinpath(*at.parts) for path, at in allowed),
        )


def no_last_commit(file: Path) -> str | None:
    """Why there is no last commit around a file; None where there is one, or git has more to say about it."""
    folder = file.absolute().parent.resolve()
    try:
        inside = _git(folder, "rev-parse", "--show-toplevel")
        last = _git(folder, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    except MachineError:
        return "git is not installed"
    if inside.returncode:
        return f"{folder} lies in no git repository" if b"not a git repository" in inside.stderr else None
    return "the git repository has no commit yet" if last.returncode else None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Repository:
    """A repository that is only read."""

    top: Path

    @classmethod
    def around(cls, folder: Path) -> _Repository:
        done = _git(folder, "rev-parse", "--show-toplevel")
        if done.returncode:
            said = done.stderr.decode("utf-8", "replace").strip().partition("\n")[0]
            if "not a git repository" in said:
                raise UsageError(f"{folder} lies in no git repository, so it has no revisions to compare with.")
            raise UsageError(f"git cannot read the repository around {folder}: {said.removeprefix('fatal: ')}")
        return cls(top=Path(os.fsdecode(done.stdout.rstrip(b"\r\n"))).resolve())

    def commit(self, revision: str) -> str:
        """The hash of the commit that a revision means."""
        asked = _git(self.top, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
        found = asked.stdout.decode("ascii", "replace").strip()
        if asked.returncode or revision.startswith("-") or not re.fullmatch(r"[0-9a-f]{40,64}", found):
            help = self._help(revision)
            raise UsageError(f"there is no revision and no run directory '{revision}' ({help})")
        return found

    def _help(self, revision: str) -> str:
        names = self._git("for-each-ref", "--format=%(refname:short)").decode("utf-8", "replace").split()
        if hint := did_you_mean(revision, names):
            return hint
        if re.fullmatch(r"[\w./-]+", revision) and not revision.startswith("-"):
            return f"a branch that is elsewhere is fetched first: git fetch origin {revision.removeprefix('origin/')}"
        if self._git("rev-parse", "--is-shallow-repository").strip() == b"true":
            return "this clone is shallow; all of it: git fetch --unshallow"
        return "git log names those that there are"

    def inside(self, folder: Path) -> PurePosixPath | None:
        """A folder as the repository names it; None where it lies outside."""
        try:
            return PurePosixPath(folder.relative_to(self.top).as_posix())
        except ValueError:
            return None

    def root_at(self, commit: str, folder: PurePosixPath) -> PurePosixPath:
        """The job's folder as of then: the nearest parent with the mark, or the file's own (see reading/load.py)."""
        home = Path.home().resolve()
        for candidate in (folder, *folder.parents):
            place = self.top / candidate
            if place == home or place in home.parents:
                break
            if any(True for _ in self._blobs(commit, candidate / MARK)):
                return candidate
        return folder

    def write_out(self, commit: str, folder: PurePosixPath, top: Path) -> None:
        """Lay the files of a folder below `top`, at their places."""
        blobs = [blob for blob in self._blobs(commit, folder) if blob.size_bytes <= MOST_BYTES]
        for blob, content in zip(blobs, self._contents(blobs), strict=True):
            target = top.joinpath(*blob.path.parts)
            target.parent.mkdir(parents=True, exist_ok=True)
            # Two names that this disk takes for one, and folders that overlap: the first stays.
            with suppress(FileExistsError), target.open("xb") as file:
                file.write(self._smudged(blob, content))

    def _blobs(self, commit: str, path: PurePosixPath) -> Iterator[_Blob]:
        """The regular files below a path. A link could lead anywhere, and a plan follows none: it is left out."""
        where = () if path == PurePosixPath() else ("--", path.as_posix())
        listed = self._git("ls-tree", "-r", "-z", "-l", "--full-tree", commit, *where)
        for entry in filter(None, listed.split(b"\0")):
            head, _, name = entry.partition(b"\t")
            mode, kind, id, size = head.split()
            named = os.fsdecode(name)
            if kind == b"blob" and mode in (b"100644", b"100755") and _stays_inside(named):
                yield _Blob(id=id.decode("ascii"), size_bytes=int(size), path=PurePosixPath(named))

    def _contents(self, blobs: Iterable[_Blob]) -> Iterator[bytes]:
        """What is in them, just as it was committed."""
        with subprocess.Popen(
            _command(self.top, "cat-file", "--batch"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=_environ()
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            for blob in blobs:
                process.stdin.write(f"{blob.id}\n".encode("ascii"))
                process.stdin.flush()
                head = process.stdout.readline().split()
                if len(head) != 3:
                    raise UsageError(f"{blob.path} of that revision is not in this clone: fetch it whole first.")
                yield process.stdout.read(int(head[2]))
                process.stdout.read(1)  # the newline behind it

    def _smudged(self, blob: _Blob, content: bytes) -> bytes:
        """What a pointer of git-lfs stands for, where this machine has it."""
        pointer = _POINTER.match(content) if blob.size_bytes < 1024 else None
        if pointer is None:
            return content
        wanted = pointer[1].decode("ascii")
        stored = Path(os.fsdecode(self._git("rev-parse", "--git-common-dir").rstrip(b"\r\n")))
        for place in (
            self.top.joinpath(*blob.path.parts),
            self.top / stored / "lfs" / "objects" / wanted[:2] / wanted[2:4] / wanted,
        ):
            with suppress(OSError):
                if place.is_symlink() or place.stat().st_size > MOST_BYTES:
                    continue
                found = place.read_bytes()
                if hashlib.sha256(found).hexdigest() == wanted:
                    return found
        return content

    def _git(self, *arguments: str) -> bytes:
        done = _git(self.top, *arguments)
        if done.returncode:
            said = done.stderr.decode("utf-8", "replace").strip().partition("\n")[0]
            raise MachineError(f"git cannot read the repository at {self.top}: {said.removeprefix('fatal: ')}")
        return done.stdout


def _stays_inside(name: str) -> bool:
    """A tree can be made by hand, with names that git itself would never write."""
    parts = name.split("/")
    if any(part in ("", ".", "..") or part.lower() == ".git" for part in parts):
        return False
    return os.sep == "/" or not any(character in name for character in '\\:*?"<>|')


def _git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            _command(folder, *arguments), stdin=subprocess.DEVNULL, capture_output=True, env=_environ(), check=False
        )
    except FileNotFoundError:
        raise MachineError("git is not installed, or not on the PATH; --against REVISION needs it.") from None


def _command(folder: Path, *arguments: str) -> list[str]:
    return ["git", *_NEVER, "-C", str(folder), *arguments]


def _environ() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in _OF_ANOTHER} | _QUIET
