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
        name="FB705",
        exit_code=4,
        title="a setting that a job may not choose",
        cause="Where requests go, through which proxy, with which headers and within which limits is decided by the "
        "person who runs the job, never by the job file: it may come from somebody else.",
        example="base_url: https://api.eu.bfl.ai",
        fix='In your own config.toml (`flux2batch config` says where it is):\n[service.bfl]\nbase_url = "https://api.eu.bfl.ai"',
    ),
)
