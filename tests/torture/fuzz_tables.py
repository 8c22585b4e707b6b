"""Tables made bad: CSV, TSV, JSON, JSON lines, YAML, lists and workbooks, each read by a job that sweeps over it."""

from __future__ import annotations

import csv
import json
import random
import tempfile
import zipfile
from functools import cache
from io import BytesIO, StringIO
from pathlib import Path

from mangle import mangled, mangled_json
from mutate_jobs import ALLOWED_EXITS

from flux2batch.errors import InvalidInput
from flux2batch.planning.configuration import Configuration, load_configuration
from flux2batch.planning.plan import PlanOptions, plan_job
from flux2batch.reading.load import load_job_text
from flux2batch.reading.problems import exit_code

_ROWS = [
    {"sku": "A1", "name": "Kettle", "price": 12.5, "ready": True, "image": "a.png"},
    {"sku": "B 2", "name": "Tasse, groß", "price": 3, "ready": False, "image": "b.png"},
    {"sku": "007", "name": 'a "quoted" cup', "price": 0.1, "ready": True, "image": ""},
]
_JOB = """\
flux2batch: 1
prompt: "{{{{ product.name }}}} for {{{{ product.price }}}}"
data: {{products: {{file: {file}, key: sku{more}}}}}
sweep: {{product: data.products, seed: 1..2}}
"""
_LIST = 'flux2batch: 1\nprompt: "{{ line }}"\nsweep: {line: {file: table.txt}}\n'


def _csv(mark: str) -> bytes:
    text = StringIO()
    writer = csv.DictWriter(text, list(_ROWS[0]), delimiter=mark)
    writer.writeheader()
    writer.writerows(_ROWS)
    return text.getvalue().encode()


@cache
def _good() -> dict[str, bytes]:
    import openpyxl

    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(list(_ROWS[0]))
    for row in _ROWS:
        sheet.append(list(row.values()))
    bound = BytesIO()
    book.save(bound)
    lines = "\n".join(json.dumps(row) for row in _ROWS)
    yaml = "".join(
        f'- {{sku: "{row["sku"]}", name: kettle, price: {row["price"]}, ready: no, image: a.png}}\n' for row in _ROWS
    )
    return {
        "csv": _csv(","),
        "tsv": _csv("\t"),
        "json": json.dumps(_ROWS).encode(),
        "jsonl": lines.encode(),
        "yaml": yaml.encode(),
        "txt": b"one\ntwo words\n# three\n\nfour\n",
        "xlsx": bound.getvalue(),
    }


def case(seed: int, number: int) -> tuple[str, bytes]:
    """What kind of file, and its bytes."""
    chance = random.Random(f"{seed}/{number}")
    kind = chance.choice(sorted(_good()))
    good = _good()[kind]
    if kind in ("json", "jsonl") and chance.random() < 0.5:
        rows = [mangled_json(row, chance) for row in _ROWS]
        text = json.dumps(rows) if kind == "json" else "\n".join(json.dumps(row) for row in rows)
        return kind, text.encode("utf-8", "surrogatepass")
    if kind == "xlsx" and chance.random() < 0.8:
        return kind, _mangled_book(good, chance)
    return kind, mangled(good, chance, list(_good().values()))


def _mangled_book(good: bytes, chance: random.Random) -> bytes:
    """A workbook with one of its parts changed, packed as it should be."""
    packed = BytesIO()
    with zipfile.ZipFile(BytesIO(good)) as old, zipfile.ZipFile(packed, "w") as new:
        names = old.namelist()
        changed = chance.choice(names)
        for name in names:
            content = old.read(name)
            if name == changed:
                if chance.random() < 0.1:
                    continue
                content = mangled(content, chance, ())
            new.writestr(name, content)
    return packed.getvalue()


@cache
def _configuration() -> Configuration:
    return load_configuration(environ={})


def judge(seed: int, number: int) -> str:
    """The exit code that the job earns. Whatever escapes is a bug in flux2batch."""
    kind, content = case(seed, number)
    chance = random.Random(number)
    with tempfile.TemporaryDirectory(prefix="table-") as name:
        folder = Path(name)
        (folder / f"table.{kind}").write_bytes(content)
        more = chance.choice(("", "", ', rows: "price > 1"', ", sheet: Sheet" if kind == "xlsx" else ""))
        text = _LIST if kind == "txt" else _JOB.format(file=f"table.{kind}", more=more)
        job, problems = load_job_text(text.encode(), path=folder / "job.yaml", name="job.yaml")
        if job is not None:
            try:
                plan = plan_job(job, configuration=_configuration(), options=PlanOptions(check_money=False))
                problems = (*problems, *plan.warnings)
                for shot in plan:
                    assert shot.id, "a shot without an id"
            except InvalidInput as invalid:
                problems = (*problems, *invalid.problems)
    for problem in problems:
        assert problem.message.strip(), f"{problem.headline}"
    code = exit_code(problems)
    assert code in ALLOWED_EXITS, f"exit code {code}"
    return f"{kind} {code}"
