"""Start flux2batch from a terminal: `flux2batch …` and `python -m flux2batch …` are the same."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

_BUG = 8


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and give its exit code; a reader of our output who leaves early is no error."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    code = 0
    try:
        code = _run(arguments)
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:
        _forget_the_streams()
    return code


def _run(arguments: list[str]) -> int:
    if arguments == ["--version"]:
        # Asked by scripts and prompts all day: answered before anything is imported.
        from flux2batch import __version__

        sys.stdout.write(f"flux2batch {__version__}\n")
        return 0
    _let_every_character_through()
    try:
        from flux2batch import cli

        return cli.run(arguments)
    except BrokenPipeError:
        raise
    except KeyboardInterrupt:
        return 130
    except Exception as fault:  # what nobody foresaw: the one place that may catch everything
        from flux2batch.crash_report import paragraph, write_crash_report

        sys.stderr.write(paragraph(fault, write_crash_report(fault, argv=arguments, environ=os.environ)))
        return _BUG


def _let_every_character_through() -> None:
    # A console of another encoding, or a file name that is not UTF-8, must not end a command: \u2713 is shown instead.
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def _forget_the_streams() -> None:
    # Python flushes both once more when it ends, and would complain then.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            os.dup2(nowhere, stream.fileno())
        except (OSError, ValueError):
            continue


if __name__ == "__main__":
    sys.exit(main())
