"""Start flux2batch from a terminal: `flux2batch …` and `python -m flux2batch …` are the same."""

from __future__ import annotations

import codecs
import os
import sys
import warnings
from collections.abc import Sequence
from typing import TextIO

_BUG = 8
_MACHINE = 7


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
    except OSError as fault:  # what was printed last did not go out
        _forget_the_streams(sys.stdout)
        code = _told(fault, arguments)
    return code


def _run(arguments: list[str]) -> int:
    if arguments == ["--version"]:
        # Asked by scripts and prompts all day: answered before anything is imported.
        from flux2batch import __version__

        sys.stdout.write(f"flux2batch {__version__}\n")
        return 0
    try:
        _let_every_character_through()
        _let_no_library_talk()
        from flux2batch import cli

        return cli.run(arguments)
    except BrokenPipeError:
        raise
    except OSError as fault:
        return _told(fault, arguments)
    except KeyboardInterrupt:
        return 130
    except Exception as fault:  # what nobody foresaw: the one place that may catch everything
        return _reported(fault, arguments)


def _told(fault: OSError, arguments: list[str]) -> int:
    # A full disk or a worn one can meet any file at any moment: that is no bug, and the remedy is the user's.
    from flux2batch.pictures.troubles import unforeseen

    trouble = unforeseen(fault)
    if trouble is None:
        return _reported(fault, arguments)
    sys.stderr.write(f"error: {trouble}\n")
    return _MACHINE


def _reported(fault: Exception, arguments: list[str]) -> int:
    from flux2batch.crash_report import paragraph, write_crash_report

    sys.stderr.write(paragraph(fault, write_crash_report(fault, argv=arguments, environ=os.environ)))
    return _BUG


def _let_no_library_talk() -> None:
    # Pillow and openpyxl warn of oddities in a file with their own source lines, which are nobody's business here: what
    # matters about a file is said by us. Whoever asks Python for warnings gets them.
    if not sys.warnoptions:
        warnings.simplefilter("ignore")


def _let_every_character_through() -> None:
    # A console of another encoding, or a file name that is not UTF-8, must not end a command: \u2713 is shown instead.
    # What goes into a pipe is UTF-8 on every system, as our files are, unless somebody asks for something else.
    from flux2batch.safe_text import spelt_out

    codecs.register_error("flux2batch", spelt_out)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None and (stream.isatty() or "PYTHONIOENCODING" in os.environ):
            reconfigure(errors="flux2batch")
        elif reconfigure is not None:
            reconfigure(encoding="utf-8", errors="flux2batch")


def _forget_the_streams(*streams: TextIO) -> None:
    # Python flushes both once more when it ends, and would complain then.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in streams or (sys.stdout, sys.stderr):
        try:
            os.dup2(nowhere, stream.fileno())
        except (OSError, ValueError):
            continue


def _leave_the_current_folder_out() -> None:
    # `python -m` looks there first, and a folder with a job may come from somebody else: its yaml.py is not ours.
    if not sys.flags.safe_path and sys.path[:1] in ([""], [os.getcwd()]):  # noqa: PTH109  # pathlib is not needed else
        del sys.path[0]


if __name__ == "__main__":
    _leave_the_current_folder_out()
    sys.exit(main())
