"""FB9xx: what ends a command and is no fault of a job; named so only where a program reads it."""

from __future__ import annotations

from flux2batch.reading.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        name="FB901",
        exit_code=2,
        title="this command line makes no sense here",
        cause="What was asked for does not fit what is there, such as a revision that the repository does not have. "
        "The message says what. People read it without a code; `--format json` and its like give it this one.",
        example="flux2batch plan job.yaml --against mian",
        fix="flux2batch plan job.yaml --against main",
    ),
    Code(
        name="FB902",
        exit_code=4,
        title="refused",
        cause="A rule of safety said no before anything was sent, such as a run directory that belongs to another "
        "job. The message says which. People read it without a code; `--format json` and its like give it this one.",
        example="flux2batch run other.yaml --out runs/final",
        fix="flux2batch run other.yaml --out runs/other",
    ),
    Code(
        name="FB903",
        exit_code=6,
        title="the account",
        cause="The service refuses the key or the account. The message says what it answered. People read it "
        "without a code; `--format json` and its like give it this one.",
        example="flux2batch run job.yaml --yes",
        fix="See to the key or the credits, then type the same again: it goes on where it was.",
    ),
    Code(
        name="FB904",
        exit_code=7,
        title="this machine cannot do it now",
        cause="A disk, a lock, a journal or the network is in the way. The message says which. People read it "
        "without a code; `--format json` and its like give it this one.",
        example="flux2batch run job.yaml --yes",
        fix="Mend what the message names, then type the same again: it goes on where it was.",
    ),
)
