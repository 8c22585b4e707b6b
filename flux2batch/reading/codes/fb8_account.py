"""FB8xx: keys and accounts."""

from __future__ import annotations

from flux2batch.reading.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        name="FB801",
        exit_code=6,
        title="no key",
        cause="The service needs a key, and there is none in the environment or in .env. Keys never stand in a job "
        "file.",
        example="flux2batch run job.yaml",
        fix="export BFL_API_KEY=… (or FAL_KEY=…), or put that line into a file called .env beside the job file and "
        "keep it out of git.",
    ),
    Code(
        name="FB802",
        exit_code=6,
        title="key that cannot be right",
        cause="The key has quotes, spaces or a line break in it, has a prefix that belongs to a header, or looks "
        "like the key of the other service. It was not sent anywhere.",
        example="BFL_API_KEY='\"bfl_…\"'",
        fix="Set the bare key, as the service shows it.",
    ),
    Code(
        name="FB803",
        exit_code=6,
        title="line in .env that is not read",
        cause="Of a .env file only BFL_API_KEY and FAL_KEY are read. Everything else could change where a key is "
        "sent, and is passed over with this warning.",
        example="# .env\nHTTPS_PROXY=http://proxy.example:3128",
        fix="Set it in the environment, or in the user's own config.toml.",
        only_warns=True,
    ),
)
