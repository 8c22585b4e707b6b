"""Every code that a problem can have, with the text of `flux2batch explain CODE`: one module a family."""

from __future__ import annotations

from flux2batch.reading.codes import (
    fb0_files,
    fb1_yaml,
    fb2_fields,
    fb3_templates,
    fb4_references,
    fb5_outputs,
    fb6_limits,
    fb7_safety,
    fb8_account,
    fb9_ends,
)
from flux2batch.reading.codes.code import Code

ALL: dict[str, Code] = {
    code.name: code
    for family in (
        fb0_files,
        fb1_yaml,
        fb2_fields,
        fb3_templates,
        fb4_references,
        fb5_outputs,
        fb6_limits,
        fb7_safety,
        fb8_account,
        fb9_ends,
    )
    for code in family.CODES
}
