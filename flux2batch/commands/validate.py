"""`flux2batch validate`: every problem of job files and of what they name, before anything costs money."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from pathlib import Path

import click

from flux2batch.commands.checking_urls import check_urls_option, fetch_picture
from flux2batch.commands.command import as_command, format_option
from flux2batch.commands.console import Part, counted, styled, this_console
from flux2batch.commands.options import Dollars
from flux2batch.reading.job import Job
from flux2batch.reading.load import load_sound_part
from flux2batch.reading.problems import Note, Problem, error, exit_code, has_errors
from flux2batch.reading.rendering import FOR_MACHINES


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What checking one file found; `job` is None where nothing of it could be read."""

    name: str
    job: Job | None
    shots: int | None  # None where they were not counted
    shares: tuple[str, ...]  # how many rows each filter of a table keeps
    problems: tuple[Problem, ...]


@as_command(
    "validate",
    summary="Check job files and everything they name.",
    examples=[
        ("flux2batch validate job.yaml", "Check a job, its data, templates, references and every shot"),
        ("flux2batch validate jobs/*.yaml --format github", "In CI: problems appear in the pull request"),
        ("flux2batch validate jobs/*.yaml --format junit > jobs.xml", "A test report: each file is a case"),
        ("flux2batch validate job.yaml --quick", "The file alone, as fast as an editor wants it"),
    ],
)
@click.argument("files", metavar="FILE…", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--quick", is_flag=True, help="The files alone, not what they name.")
@click.option("--strict", is_flag=True, help="Warnings are errors.")
@click.option("--set", "sets", metavar="PATH=YAML", multiple=True, help="Another value for this call; repeatable.")
@click.option(
    "--allow-path",
    "allow_paths",
    metavar="DIR",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="References and data may come from here as well; repeatable.",
)
@click.option("--max-shots", metavar="N", type=click.IntRange(min=1), help="Allow so many shots.")
@click.option("--assume-price", metavar="X", type=Dollars(), help="Taken as by plan; no price is checked here.")
@click.option("--config", metavar="FILE", type=click.Path(path_type=Path), help="Read this config.toml.")
@check_urls_option
@partial(format_option, further=["junit"])
def command(
    files: tuple[Path, ...],
    quick: bool,
    strict: bool,
    sets: tuple[str, ...],
    allow_paths: tuple[Path, ...],
    max_shots: int | None,
    assume_price: Decimal | None,
    config: Path | None,
    check_urls: bool,
    format: str,
) -> None:
    """Check job files: the file itself, its data, templates and references, and every shot that comes out of it.

    All problems are shown at once, each with its place. Nothing is sent, no key is needed, and prices play no part.
    """
    del assume_price  # so that all three commands on a job take the same flags
    checked = [_read(file, sets=sets, allow_paths=allow_paths) for file in dict.fromkeys(files)]
    if not quick and any(each.job for each in checked):
        checked = _with_shots(
            checked, config=config, max_shots=max_shots, allow_paths=allow_paths, check_urls=check_urls
        )
    same_names = _same_names(checked)
    problems = [problem for each in checked for problem in each.problems] + same_names

    console = this_console()
    if format == "junit":
        console.stdout.write(_as_junit(checked, same_names, strict=strict))
        raise click.exceptions.Exit(exit_code(problems, strict=strict))
    if format not in FOR_MACHINES:
        for each in checked:
            if each.job and not has_errors(each.problems, strict=strict):
                console.print(styled("ok", "green"), f"  {each.name}  ", styled(_counts(each, each.job), "dim"))
    console.show_problems(problems, as_answer=True)
    if format == "text" and problems:
        console.say()
        console.say(*_summary(problems))
    raise click.exceptions.Exit(exit_code(problems, strict=strict))


def _read(file: Path, *, sets: Sequence[str], allow_paths: Sequence[Path]) -> Checked:
    job, problems = load_sound_part(file, allow_paths=allow_paths, sets=sets)
    return Checked(name=str(file), job=job, shots=None, shares=(), problems=problems)


def _with_shots(
    checked: Sequence[Checked],
    *,
    config: Path | None,
    max_shots: int | None,
    allow_paths: Sequence[Path],
    check_urls: bool,
) -> list[Checked]:
    """The same with the shots of every job counted and checked."""
    # Imported here: `--quick` and a file that cannot be read need none of it, and it takes as long as all the rest.
    from flux2batch.planning.configuration import load_configuration
    from flux2batch.planning.plan import PlanOptions
    from flux2batch.planning.whole_check import check_all

    configuration = load_configuration(file=config, max_shots=max_shots, allow_paths=allow_paths)
    options = PlanOptions(fetch=fetch_picture if check_urls else None)

    def planned(each: Checked) -> Checked:
        if each.job is None:
            return each
        plan, problems = check_all(each.job, each.problems, configuration=configuration, options=options)
        if plan is None:
            return replace(each, problems=problems)
        shares = tuple(table.share for table in plan.tables if table.share)
        return replace(each, shots=len(plan), shares=shares, problems=problems)

    return [planned(each) for each in checked]


def _same_names(checked: Sequence[Checked]) -> list[Problem]:
    """Two jobs of one folder with one name would share a run directory."""
    first_of: dict[tuple[Path, str], Checked] = {}
    problems = []
    for each in checked:
        if each.job is None or each.job.lost is not None:
            continue
        first = first_of.setdefault((each.job.folder, each.job.name), each)
        if first is each or first.job is None:
            continue
        problems.append(
            error(
                "FB211",
                f"another job of this folder is called '{each.job.name}' as well",
                where=each.job.document.place(("name",)),
                steps=("name",),
                help="give one of them another name: their pictures would share a run directory",
                notes=[Note(text=f"the first is {first.name}", where=first.job.document.place(("name",)))],
            )
        )
    return problems


def _as_junit(checked: Sequence[Checked], same_names: Sequence[Problem], *, strict: bool) -> str:
    """Every file that was named is a case, with what was found on the way through it, wherever that stands."""
    from datetime import UTC, datetime

    from flux2batch.reading.junit import by_file, junit

    further = by_file(same_names)
    files = {each.name: [*each.problems, *further.get(each.name, ())] for each in checked}
    return junit(files, at=datetime.now(UTC), strict=strict)


def _counts(each: Checked, job: Job) -> str:
    axes = [*job.sweep, *(axis for group in job.zips for axis in group), *job.draws]
    counts = [] if each.shots is None else [counted(each.shots, "shot")]
    counts += ["several models" if any(axis.name == "model" for axis in axes) else job.model]
    counts += [counted(len(axes), "axis", "axes")] if axes else []
    counts += [counted(len(job.references), "reference")] if job.references else []
    counts += each.shares
    return ", ".join(counts)


def _summary(problems: Sequence[Problem]) -> list[Part]:
    errors = sum(problem.severity == "error" for problem in problems)
    worst = next((problem for problem in problems if problem.severity == "error"), problems[0])
    counts = [counted(errors, "error")] if errors else []
    counts += [counted(len(problems) - errors, "warning")] if len(problems) > errors else []
    files = len({problem.where.file for problem in problems if problem.where})
    place = f" in {counted(files, 'file')}" if files > 1 else ""
    return [styled(f"{', '.join(counts)}{place}", "bold"), f"; `flux2batch explain {worst.code}` says more"]
