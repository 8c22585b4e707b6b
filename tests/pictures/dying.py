"""Work on a run directory that dies at its Nth step, for every N: each time, what lies there is looked at and mended.

python dying.py place|move|adopt FOLDER    prints how many steps there were
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable
from pathlib import Path

from painting import painted

from flux2batch.pictures.placing import Gallery, Placed

CONTENT = painted("png")
SHA256 = hashlib.sha256(CONTENT).hexdigest()
STEPS = ("open", "write", "fsync", "close", "link", "rename", "unlink", "mkdir")
TARGET = "fox/low/a.png"


def work(what: str, root: Path) -> Placed | object:
    here = Gallery(root / "run", known=lambda _: None)
    match what:
        case "place":
            return here.place(CONTENT, TARGET)
        case "move":
            return here.move("b.png", TARGET, sha256=SHA256)
        case _:
            return here.adopt(Gallery(root / "old", known=lambda _: None), "b.png", TARGET, sha256=SHA256)


def prepare(what: str, root: Path) -> None:
    (root / "run").mkdir(parents=True)
    (root / "old").mkdir()
    if what != "place":
        (root / ("run" if what == "move" else "old") / "b.png").write_bytes(CONTENT)


def dying(step: Callable[..., object], countdown: list[int]) -> Callable[..., object]:
    def instead(*given: object, **named: object) -> object:
        countdown[0] -= 1
        if countdown[0] < 0:
            os._exit(9)
        return step(*given, **named)

    return instead


def died(what: str, root: Path, after: int) -> bool:
    child = os.fork()
    if child == 0:
        countdown = [after]
        for name in STEPS:
            setattr(os, name, dying(getattr(os, name), countdown))
        done = work(what, root)
        os._exit(0 if isinstance(done, Placed) else 1)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, 9), code
    return code == 9


def look(root: Path) -> list[str]:
    """The files of the run directory. Whatever has its final name is whole; half a picture is only ever a part."""
    found = [path for path in (root / "run").rglob("*") if path.is_file()]
    for path in found:
        assert path.name.endswith(".part") or path.read_bytes() == CONTENT, path
    return sorted(str(path.relative_to(root / "run")) for path in found)


def main() -> None:
    what, folder = sys.argv[1], Path(sys.argv[2])
    after = 0
    while True:
        root = folder / str(after)
        prepare(what, root)
        dead = died(what, root, after)
        found = look(root)
        if what == "move":
            assert {"b.png", TARGET} & set(found), "the picture is lost"

        Gallery(root / "run", known=lambda _: None).sweep()
        again = work(what, root)
        assert isinstance(again, Placed), (after, again)
        assert look(root) == [TARGET], (after, look(root))
        if not dead:
            break
        after += 1
    print(after)


if __name__ == "__main__":
    main()
