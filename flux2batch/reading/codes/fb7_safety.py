"""FB7xx: refused for safety."""

from __future__ import annotations

from flux2batch.reading.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        name="FB701",
        exit_code=4,
        title="a key in the job file",
        cause="A job file lies in git and is shown to people, so a key of a service never stands in it. The value is "
        "not repeated in any message.",
        example="api_key: bfl_…",
        fix="Remove it, set BFL_API_KEY or FAL_KEY in the environment or in .env, and revoke the key that was written: "
        "whoever read the file has it.",
    ),
    Code(
        name="FB702",
        exit_code=4,
        title="a file outside the job's folder",
        cause="A job may read files of its own folder and nothing else: no absolute paths, no '..' that leads out, no "
        "home folder, no file URLs, and no symlinks, wherever they lead.",
        example="references: {key: ../../.ssh/id_rsa}",
        fix="Copy the file into the job's folder, or allow its folder on the command line: --allow-path DIR",
    ),
    Code(
        name="FB703",
        exit_code=4,
        title="a URL that is not handed to a service",
        cause="A reference URL must be https, on the usual port, on a public host that is named and not numbered, and "
        "carry no user name.",
        example="references: {face: http://192.168.1.7/face.png}",
        fix="references: {face: https://example.com/face.png}, or save the file in the job's folder",
    ),
    Code(
        name="FB704",
        exit_code=4,
        title="an output path outside the run directory",
        cause="Pictures are written inside the run directory and nowhere else, also after the path was rendered.",
        example='output: {path: "../{{ subject }}"}',
        fix='output: {path: "{{ subject }}"}',
    ),
    Code(
        name="FB705",
        exit_code=4,
        title="a setting that a job may not choose",
        cause="Where requests go, through which proxy, with which headers and within which limits is decided by the "
        "person who runs the job, never by the job file: it may come from somebody else.",
        example="base_url: https://api.eu.bfl.ai",
        fix='In your own config.toml (`flux2batch config` says where it is):\n[service.bfl]\nbase_url = "https://api.eu.bfl.ai"',
    ),
    Code(
        name="FB706",
        exit_code=4,
        title="a template reaches for the inside of the program",
        cause="A template asks for something that no job needs and that attacks on templates begin with: a name "
        "such as __class__, the filter attr, a call of format, or one of the objects of the template engine "
        "itself.",
        example="prompt: \"{{ ''.__class__ }}\"",
        fix="Remove it, and ask where the job file comes from.",
    ),
    Code(
        name="FB707",
        exit_code=4,
        title="a run in a workflow that strangers can start",
        cause="On pull_request_target a workflow of GitHub holds the repository's secrets and may work on anybody's "
        "pull request, so a stranger's job would be paid with your key.",
        example="on: pull_request_target\n…\nrun: flux2batch run job.yaml --yes",
        fix="on: pull_request\n…\nrun: flux2batch plan job.yaml --markdown\n"
        "and run it on a protected branch, after the merge. `run --emulate` is free and may stay.",
    ),
)
