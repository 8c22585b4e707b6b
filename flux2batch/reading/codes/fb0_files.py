"""FB0xx: files and the command line."""

from __future__ import annotations

from flux2batch.reading.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        name="FB001",
        exit_code=3,
        title="no such file",
        cause="The job file that was named does not exist, or its folder does not.",
        example="flux2batch validate jobs.yml",
        fix="Name the file as it is written on disk, capitals included: flux2batch validate job.yml",
    ),
    Code(
        name="FB002",
        exit_code=3,
        title="not a readable file",
        cause="What was named is a folder, a pipe or a device, or the system does not let you read it.",
        example="flux2batch validate jobs/",
        fix="Name a file inside the folder, or give yourself the right to read it: chmod u+r job.yaml",
    ),
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
    Code(
        name="FB024",
        exit_code=2,
        title="folder of weights that cannot be used",
        cause="The folder that is named for a local model is missing, is not whole, holds another model, or wants code "
        "of its own to be run. It is looked over before anything is loaded.",
        example="flux2batch run job.yaml --local-weights ~/Downloads",
        fix="Name the folder that has model_index.json in it: --local-weights ~/weights/FLUX.2-klein-4B",
    ),
    Code(
        name="FB025",
        exit_code=2,
        title="no folder of weights",
        cause="The job asks for a local model, and nobody has said where its weights lie.",
        example="model: local/flux-2-klein-4b",
        fix="--local-weights DIR, or in config.toml:\n[service.local]\n"
        'weights = {"local/flux-2-klein-4b" = "~/weights/klein"}',
    ),
    Code(
        name="FB026",
        exit_code=7,
        title="library that is not installed",
        cause="What was asked for needs libraries that flux2batch itself does without, because they are large.",
        example="model: local/flux-2-klein-4b",
        fix="pip install 'flux2batch[local]' (for a fleet: 'flux2batch[local,ray]')",
    ),
    Code(
        name="FB027",
        exit_code=2,
        title="device that cannot do it",
        cause="The device that was named is not on this machine, or it cannot spare memory in the way that was asked.",
        example="flux2batch run job.yaml --device cuda:1",
        fix="--device auto, or one of the devices that the message lists",
    ),
)
