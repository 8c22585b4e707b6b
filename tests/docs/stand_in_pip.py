"""`pip install` for the test of a page: a package in a folder is put where Python looks, and nothing is fetched."""

from __future__ import annotations

import shutil
import sys
import tomllib
from pathlib import Path


def install(folder: Path, site: Path) -> None:
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    about = site / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n", encoding="utf-8"
    )
    lines = [
        line
        for group, points in project["entry-points"].items()
        for line in (f"[{group}]", *(f"{name} = {target}" for name, target in points.items()))
    ]
    (about / "entry_points.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for module in folder.glob("*.py"):
        shutil.copy(module, site)


if __name__ == "__main__":
    *_, named = sys.argv
    if Path(named).is_dir():
        install(Path(named), Path(sys.argv[1]))
