"""Good job files made bad on purpose, the same way every time for one seed, and the judge of what became of them."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from flux2batch.errors import InvalidInput
from flux2batch.planning.configuration import Configuration, load_configuration
from flux2batch.planning.plan import PlanOptions, plan_job
from flux2batch.reading.job import Job
from flux2batch.reading.load import load_job_text
from flux2batch.reading.problems import Problem, exit_code
from flux2batch.reading.source import source_of

ROOT = Path(__file__).resolve().parents[2]
ALLOWED_EXITS = (0, 3, 4)

# What people and broken tools put into a file: YAML's own signs, numbers at their limits, alphabets, half a template.
_TOKENS = (
    "", " ", "  ", "\t", "\n", "\n\n", "\r\n", "\r", ":", ": ", "- ", "-", "? ", ",", "[", "]", "{", "}", "[]", "{}",
    "[[", "}}", "{{", "{{ x }}", "{{ subject }}", "{% if x %}", "{# ", "#", " #", " #ff0000", "'", '"', "''", '""',
    "\\", "\\x07", "|", ">", "|2-", ">+", "&a ", "*a", "!", "!!python/x ", "!env ", "<<: ", "---", "...", "%YAML 1.1",
    "@", "`", "~", "null", "true", "no", "0", "-1", "007", "0x10", "1e3", "1e999", ".nan", ".inf", "9" * 30, "1_000",
    "16:9", "2026-01-02", "1..5", "5..1", "1..1000000000", "1..5 step 0", "2.0..5.0 step 0.1", "20#1000", "1024x1024",
    "1000x1000", "match", "999999x16", "-1x-1", "../x", "/etc/passwd", "file:///x", "https://example.com/a.png",
    "http://127.0.0.1/", "refs/*.png", "a" * 300, "ä", "字", "🦊", "\u202e", "\u200b", "\u2028", "\ufeff", "\x00",
    "\x07", "\x1b[31m", "\x85", "bfl/flux-2-pro", "fal/flux-2", "nope/nope", "seed", "steps", "prompt", "sweep",
    "params", "data", "vars", "__class__", "{{ ''.__class__ }}", "{{ range(10**9) }}", "none", "None", "NaN",
    "api_key",
)  # fmt: skip
_BAD_BYTES = (
    b"\xff",
    b"\xe9",
    b"\xc3",
    b"\x00",
    b"\xf0\x9f",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
    b"\x89PNG\r\n\x1a\n",
    b"\x80",
)
_TOKEN = re.compile(r"\w+|\s+|[^\w\s]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation:
    """One file made bad: which it was, and what its bytes are now."""

    seed: int
    number: int
    origin: Path
    raw: bytes

    def __str__(self) -> str:
        return f"seed {self.seed}, mutation {self.number} of {self.origin.relative_to(ROOT)}"


def good_files() -> tuple[Path, ...]:
    """Every job file that the repository holds as a good one."""
    jobs = [*(ROOT / "specs").rglob("*.yaml"), *(ROOT / "tests" / "golden").rglob("job.yaml")]
    return tuple(sorted(path for path in jobs if b"flux2batch:" in path.read_bytes()))


def mutations(seed: int, count: int) -> Iterator[Mutation]:
    """`count` files, each with one to four changes to its bytes, lines or tokens."""
    return (mutation(seed, number) for number in range(count))


def mutation(seed: int, number: int) -> Mutation:
    """The one with this number: the same on every machine."""
    chance = random.Random(f"{seed}/{number}")
    files = good_files()
    origin = chance.choice(files)
    raw = origin.read_bytes()
    for _ in range(chance.choice((1, 1, 1, 2, 3, 4))):
        raw = chance.choice(_CHANGES)(raw, chance, files)
    return Mutation(seed=seed, number=number, origin=origin, raw=raw)


# --- the changes ----------------------------------------------------------------------------------------------------

_Change = Callable[[bytes, random.Random, Sequence[Path]], bytes]


def _cut(raw: bytes, chance: random.Random) -> tuple[int, int]:
    start = chance.randint(0, len(raw))
    return start, min(len(raw), start + chance.choice((0, 1, 1, 2, 5, 20, 80)))


def _replace_bytes(raw: bytes, chance: random.Random, _: Sequence[Path]) -> bytes:
    start, end = _cut(raw, chance)
    return raw[:start] + chance.choice((chance.randbytes(1), chance.randbytes(4), *_BAD_BYTES)) + raw[end:]


def _delete_bytes(raw: bytes, chance: random.Random, _: Sequence[Path]) -> bytes:
    start, end = _cut(raw, chance)
    return raw[:start] + raw[end:]


def _flip_bit(raw: bytes, chance: random.Random, _: Sequence[Path]) -> bytes:
    if not raw:
        return raw
    at = chance.randrange(len(raw))
    return raw[:at] + bytes([raw[at] ^ (1 << chance.randrange(8))]) + raw[at + 1 :]


def _truncate(raw: bytes, chance: random.Random, _: Sequence[Path]) -> bytes:
    return raw[: chance.randint(0, len(raw))]


def _repeat(raw: bytes, chance: random.Random, _: Sequence[Path]) -> bytes:
    start, end = _cut(raw, chance)
    return raw[:start] + raw[start:end] * chance.choice((2, 3, 50, 300)) + raw[end:]


def _splice(raw: bytes, chance: random.Random, files: Sequence[Path]) -> bytes:
    other = chance.choice(files).read_bytes()
    return raw[: chance.randint(0, len(raw))] + other[chance.randint(0, len(other)) :]


def _on_lines(change: Callable[[list[bytes], int, random.Random], None]) -> _Change:
    def changed(raw: bytes, chance: random.Random, _: Sequence[Path]) -> bytes:
        lines = raw.split(b"\n")
        change(lines, chance.randrange(len(lines)), chance)
        return b"\n".join(lines)

    return changed


def _drop_line(lines: list[bytes], at: int, _: random.Random) -> None:
    del lines[at]


def _double_line(lines: list[bytes], at: int, _: random.Random) -> None:
    lines.insert(at, lines[at])


def _move_line(lines: list[bytes], at: int, chance: random.Random) -> None:
    line = lines.pop(at)
    lines.insert(chance.randint(0, len(lines)), line)


def _indent_line(lines: list[bytes], at: int, chance: random.Random) -> None:
    lines[at] = chance.choice((b" ", b"  ", b"\t", b"    ")) + lines[at]


def _dedent_line(lines: list[bytes], at: int, chance: random.Random) -> None:
    lines[at] = lines[at][chance.randint(1, 3) :]


def _join_lines(lines: list[bytes], at: int, chance: random.Random) -> None:
    lines[at : at + 2] = [chance.choice((b"", b" ", b", ")).join(lines[at : at + 2])]


def _end_line_otherwise(lines: list[bytes], at: int, chance: random.Random) -> None:
    lines[at] += chance.choice(
        (b"\r", b" ", b"\t", b" # note", b" #note", b":", b",", b"\x0b", b"\xc2\x85", b"\xe2\x80\xa8")
    )


def _on_tokens(change: Callable[[list[str], int, random.Random], None]) -> _Change:
    def changed(raw: bytes, chance: random.Random, _: Sequence[Path]) -> bytes:
        tokens = _TOKEN.findall(raw.decode("utf-8", "surrogateescape"))
        if tokens:
            change(tokens, chance.randrange(len(tokens)), chance)
        return "".join(tokens).encode("utf-8", "surrogateescape")

    return changed


def _replace_token(tokens: list[str], at: int, chance: random.Random) -> None:
    tokens[at] = chance.choice(_TOKENS)


def _insert_token(tokens: list[str], at: int, chance: random.Random) -> None:
    tokens.insert(at, chance.choice(_TOKENS))


def _swap_tokens(tokens: list[str], at: int, chance: random.Random) -> None:
    other = chance.randrange(len(tokens))
    tokens[at], tokens[other] = tokens[other], tokens[at]


def _misspell(tokens: list[str], at: int, chance: random.Random) -> None:
    words = [number for number, token in enumerate(tokens) if len(token) > 3 and token.isalpha()]
    at = chance.choice(words) if words else at
    cut = chance.randint(0, max(0, len(tokens[at]) - 2))
    tokens[at] = tokens[at][:cut] + tokens[at][cut + 1 : cut + 2] + tokens[at][cut : cut + 1] + tokens[at][cut + 2 :]


def _other_value(tokens: list[str], at: int, chance: random.Random) -> None:
    """What stands behind a ': ' becomes something else, to the end of the line."""
    colons = [n for n in range(len(tokens) - 2) if tokens[n] == ":" and tokens[n + 1].startswith(" ")]
    if colons:
        at = chance.choice(colons) + 2
        end = next((n for n in range(at, len(tokens)) if "\n" in tokens[n]), len(tokens))
        tokens[at:end] = [chance.choice(_TOKENS)]


_CHANGES: tuple[_Change, ...] = (
    _replace_bytes,
    _delete_bytes,
    _flip_bit,
    _truncate,
    _repeat,
    _splice,
    *map(
        _on_lines, (_drop_line, _double_line, _move_line, _indent_line, _dedent_line, _join_lines, _end_line_otherwise)
    ),
    *map(
        _on_tokens, (_replace_token, _insert_token, _insert_token, _swap_tokens, _misspell, _other_value, _other_value)
    ),
)


# --- the judge ------------------------------------------------------------------------------------------------------


def judge(mutated: Mutation) -> int:
    """The exit code that the file earns; AssertionError where a message is not fit to be shown.

    Whatever else escapes is a bug in flux2batch and is left to escape.
    """
    name = mutated.origin.name
    job, problems = load_job_text(mutated.raw, path=mutated.origin, name=name, even_in_part=True)
    problems = [*problems, *(_plan_problems(job) if job else ())]
    for problem in problems:
        _judge_message(problem, mutated, name)
    code = exit_code(problems)
    assert code in ALLOWED_EXITS, f"{mutated}: exit code {code}"
    assert job is not None or code != 0, f"{mutated}: no job, and nothing said"
    return code


@cache
def _configuration() -> Configuration:
    return load_configuration(environ={})


def _plan_problems(job: Job) -> tuple[Problem, ...]:
    try:
        plan = plan_job(job, configuration=_configuration(), options=PlanOptions(check_money=False))
    except InvalidInput as invalid:
        return invalid.problems
    return plan.warnings


def _judge_message(problem: Problem, mutated: Mutation, name: str) -> None:
    about = f"{mutated}: {problem.headline}"
    assert problem.message.strip(), about
    place = problem.where
    if place is None or place.file != name:
        return
    text = mutated.raw.decode("utf-8", "surrogateescape").removeprefix("\ufeff")
    source = source_of(text, name=name)
    last_line, _ = source.position(len(text))
    assert 1 <= place.line <= place.end_line <= last_line, about
    start, end = source.line_span(place.line)
    assert 1 <= place.column <= end - start + 1, about
    assert (place.end_line, place.end_column) >= (place.line, place.column), about
