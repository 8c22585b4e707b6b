"""What a library mutters about a strange file never reaches the terminal."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from io import BytesIO
from pathlib import Path

import pytest

_JOB = """\
flux2batch: 1
prompt: "a {{ product.sku }}"
data: {products: {file: products.xlsx, key: sku}}
sweep: {product: data.products}
"""


def test_a_workbook_without_its_default_style_is_read_without_a_word_of_openpyxl(tmp_path: Path):
    """Some programs write such workbooks, and openpyxl warned of them with a line of its own source."""
    openpyxl = pytest.importorskip("openpyxl", reason="workbooks are an extra")
    book, good = openpyxl.Workbook(), BytesIO()
    for row in (["sku"], ["kettle"]):
        book.active.append(row)
    book.save(good)
    with zipfile.ZipFile(good) as old, zipfile.ZipFile(tmp_path / "products.xlsx", "w") as new:
        for name in old.namelist():
            new.writestr(name, re.sub(rb"<cellStyles.*</cellStyles>", b"", old.read(name)))
    (tmp_path / "job.yaml").write_text(_JOB, encoding="utf-8")

    done = subprocess.run(
        [sys.executable, "-m", "flux2batch", "validate", "job.yaml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
