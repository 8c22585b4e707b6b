"""FB0xx: files and the command line."""

from __future__ import annotations

from flux2batch.reading.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        name="FB020",
        exit_code=2,
        title="configuration cannot be read",
        cause="The configuration file is missing where --config or FLUX2BATCH_CONFIG names it, cannot be opened, "
        "or is not TOML.",
        example="# config.toml\n[limits\nper_run_usd = 10",
        fix="[limits]\nper_run_usd = 10",
    ),
    Code(
        name="FB021",
        exit_code=2,
        title="unknown key in the configuration",
        cause="The configuration has a section or a key that means nothing. An unknown key is never passed over: a "
        "limit that is misspelt would not hold.",
        example="[limits]\nper_run = 10",
        fix="[limits]\nper_run_usd = 10",
    ),
    Code(
        name="FB022",
        exit_code=2,
        title="wrong value in the configuration",
        cause="A value in the configuration, in an environment variable or in a flag is not of the kind that is "
        "needed there.",
        example='[limits]\nmax_shots = "many"',
        fix="[limits]\nmax_shots = 20000",
    ),
    Code(
        name="FB023",
        exit_code=2,
        title="a model's file is not an entry of the catalogue",
        cause="A folder named in the configuration under [models] holds a file that does not have the form of "
        "schemas/model.schema.json.",
        example='{"model": "bfl/flux-2-next"}',
        fix="Copy a file of schemas/models and change what differs.",
    ),
)
