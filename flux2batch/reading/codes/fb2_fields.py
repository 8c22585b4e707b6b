"""FB2xx: keys and values of a job file."""

from __future__ import annotations

from flux2batch.reading.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        name="FB201",
        exit_code=3,
        title="unknown key",
        cause="The job file has a key that means nothing at this place: it is misspelt, it belongs one level higher or "
        "lower, or it comes from another tool or from a service's own interface.",
        example='flux2batch: 1\npromt: "a paper boat"',
        fix='flux2batch: 1\nprompt: "a paper boat"',
    ),
    Code(
        name="FB202",
        exit_code=3,
        title="missing key",
        cause="A key that is always needed here is not written. It is reported at the first key beside which it should "
        "stand.",
        example="flux2batch: 1\nmodel: bfl/flux-2-pro",
        fix='flux2batch: 1\nmodel: bfl/flux-2-pro\nprompt: "a paper boat"',
    ),
    Code(
        name="FB203",
        exit_code=3,
        title="not one of the possible values",
        cause="Only certain words are possible here, and this is none of them: the words of a parameter, the names of "
        "the models, or the names of the job's own axes (under `sheet:` and in `seed: {per: […]}`). Case matters.",
        example="params: {output_format: jpg}\nsweep: {light: [dawn, dusk]}\nsheet: {x: ligth}",
        fix="params: {output_format: jpeg}\nsweep: {light: [dawn, dusk]}\nsheet: {x: light}",
    ),
    Code(
        name="FB204",
        exit_code=3,
        title="number out of range",
        cause="The number is too small, too large, or not a multiple of what the model asks for. "
        "`flux2batch models NAME` shows the limits of a model.",
        example="params: {width: 1000, height: 768}",
        fix="params: {width: 992, height: 768}",
    ),
    Code(
        name="FB205",
        exit_code=3,
        title="wrong kind of value",
        cause="A number, text, list or mapping stands where another kind is needed. In YAML, quotes make text of a "
        "number, and `yes` and `no` are text.",
        example='params: {steps: "20", upsampling: no}',
        fix="params: {steps: 20, upsampling: false}",
    ),
    Code(
        name="FB206",
        exit_code=3,
        title="version of the language",
        cause="Every job file says which version of the language it is written in, as the whole number 1. A file with "
        "a higher number was made for a newer flux2batch.",
        example='flux2batch: "1"',
        fix="flux2batch: 1",
    ),
    Code(
        name="FB207",
        exit_code=3,
        title="key without a value",
        cause="The key is written, but nothing follows it. An empty value is never taken for a default.",
        example="flux2batch: 1\nprompt:",
        fix='flux2batch: 1\nprompt: "a paper boat"',
    ),
    Code(
        name="FB208",
        exit_code=3,
        title="two keys for one thing",
        cause="Two keys that decide the same thing stand side by side, so it is not clear which one is meant.",
        example="params: {size: 1024x1024, aspect: 16:9}",
        fix="params: {aspect: 16:9}",
    ),
    Code(
        name="FB209",
        exit_code=3,
        title="empty prompt",
        cause="The prompt has no words, as written or after its template was rendered.",
        example='prompt: "  "',
        fix='prompt: "a paper boat"',
    ),
    Code(
        name="FB210",
        exit_code=3,
        title="prompt too long",
        cause="The rendered prompt is longer than the model reads. The length is estimated, on the safe side.",
        example="prompt: {file: prompts/a-whole-novel.md}",
        fix="Shorten the text, or choose a model with a longer limit (`flux2batch models`).",
    ),
    Code(
        name="FB211",
        exit_code=3,
        title="two jobs of one name",
        cause="Two job files of one folder have the same name, so their pictures would go to the same run directory.",
        example="# a.yaml\nname: boats\n\n# b.yaml\nname: boats",
        fix="# b.yaml\nname: boats-at-night",
    ),
    Code(
        name="FB212",
        exit_code=3,
        title="name that cannot be used",
        cause="A job's name becomes a folder, and the names of axes, constants, tables and references stand in "
        "templates: some characters and some words cannot be used for them.",
        example="name: spring/boats\nsweep: {art-style: [ink, oil]}",
        fix="name: spring-boats\nsweep: {art_style: [ink, oil]}",
    ),
)
