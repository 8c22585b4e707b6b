"""FB5xx: output paths."""

from __future__ import annotations

from flux2batch.reading.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        name="FB501",
        exit_code=3,
        title="two pictures for one path",
        cause="Two shots would be written to the same file, so one of them would be lost.",
        example='output: {path: "{{ subject }}"}',
        fix='output: {path: "{{ subject }}-{{ seed }}"}',
    ),
    Code(
        name="FB502",
        exit_code=3,
        title="path that not every system takes",
        cause="A name in the path means something else on one system or another: a device of Windows, a trailing dot, "
        "a leading minus, more than 255 bytes; or two paths differ in capitals alone and are one file on a Mac.",
        example='output: {path: "con/{{ seed }}"}',
        fix='output: {path: "contrast/{{ seed }}"}',
    ),
    Code(
        name="FB503",
        exit_code=3,
        title="extension of another format",
        cause="The path ends like a picture of one format, and the model is asked for another.",
        example='output: {path: "{{ seed }}.jpg"}\nparams: {output_format: png}',
        fix='output: {path: "{{ seed }}"}',
    ),
    Code(
        name="FB504",
        exit_code=7,
        title="the output folder cannot be used",
        cause="What stands at the place of the run directory is a file, or a folder that cannot be written to.",
        example="flux2batch plan job.yaml --out notes.txt",
        fix="flux2batch plan job.yaml --out runs/boats",
    ),
    Code(
        name="FB505",
        exit_code=4,
        title="pictures that are no longer where the run put them",
        cause="The run directory's journal knows pictures that were paid for and are not there any more: deleted or "
        "moved by hand, as a rule. They are not bought again without being asked.",
        example="rm runs/boats/red-1.png\nflux2batch plan job.yaml",
        fix="Put them back, or buy them again: flux2batch retry --missing.",
        only_warns=True,
    ),
)
