"""FB4xx: reference pictures."""

from __future__ import annotations

from flux2batch.reading.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        name="FB401",
        exit_code=3,
        title="no such file",
        cause="A path in the job, or in a table that it reads, leads to nothing. Paths are relative to the job file.",
        example="references: {face: refs/fase.png}",
        fix="references: {face: refs/face.png}",
    ),
    Code(
        name="FB402",
        exit_code=3,
        title="nothing matches the pattern",
        cause="No file matches a glob. Upper and lower case differ, also on systems that do not care.",
        example='references: {views: {glob: "refs/*.PNG"}}',
        fix='references: {views: {glob: "refs/*.png"}}, or optional: true where it may be empty',
    ),
    Code(
        name="FB403",
        exit_code=3,
        title="too many files match the pattern",
        cause="A glob matches more than 500 files, or looks through more than 100,000: a slip, as a rule.",
        example='references: {views: {glob: "**/*"}}',
        fix='references: {views: {glob: "refs/views/*.jpg", max: 3}}',
    ),
    Code(
        name="FB404",
        exit_code=3,
        title="not a file",
        cause="A path leads to a folder, a pipe or a device where a file is wanted.",
        example="references: {views: refs}",
        fix='references: {views: {glob: "refs/*"}}',
    ),
    Code(
        name="FB405",
        exit_code=3,
        title="not a PNG, JPEG or WebP picture",
        cause="The services take PNG, JPEG and WebP. What a file is shows in its first bytes, not in its name. Moving "
        "pictures are not taken, and neither is anything that does not decode.",
        example="references: {face: refs/face.heic}",
        fix="Export the picture as JPEG or PNG and name that file.",
    ),
    Code(
        name="FB406",
        exit_code=3,
        title="the picture is cut off or damaged",
        cause="The file begins as a picture and does not end as one: an interrupted copy or download, as a rule.",
        example="references: {face: refs/half-a-download.jpg}",
        fix="Copy or download the file again.",
    ),
    Code(
        name="FB407",
        exit_code=3,
        title="the service would refuse or change the picture",
        cause="More bytes or pixels than the model takes, or too few pixels, are an error. What is only "
        "changed on the way (shrunk above 4 megapixels, cropped to multiples of 16, CMYK or 16 bits brought to plain "
        "colours) is a warning.",
        example="references: {icon: refs/icon-8x8.png}",
        fix="Scale the picture, or save it with fewer bytes. A smaller reference also costs less.",
    ),
    Code(
        name="FB408",
        exit_code=3,
        title="not a URL that can be handed on",
        cause="References are files of the job's folder or https URLs. Other kinds of URL are not taken.",
        example="references: {face: ftp://example.com/face.png}",
        fix="references: {face: https://example.com/face.png}",
    ),
    Code(
        name="FB409",
        exit_code=3,
        title="the URL does not give a picture",
        cause="--check-urls fetched an https reference: it was not there, not a picture, or too large.",
        example="references: {face: https://example.com/a-page.html}",
        fix="Give the address of the picture itself.",
    ),
    Code(
        name="FB410",
        exit_code=3,
        title="not a colour",
        cause="A swatch is given as three or six hexadecimal digits after '#'. In YAML it needs quotes, for ' #' "
        "begins a comment.",
        example="references: {blue: {color: cobalt}}",
        fix='references: {blue: {color: "#0047AB"}}',
    ),
    Code(
        name="FB411",
        exit_code=4,
        title="the file changed since the plan",
        cause="A reference is read again when it is sent, and its content is not what the plan was made and priced "
        "with. It would be another picture under the old one's name.",
        example="flux2batch run job.yaml, while refs/face.png is being edited",
        fix="Plan again: flux2batch plan job.yaml",
    ),
    Code(
        name="FB412",
        exit_code=3,
        title="the file cannot be read",
        cause="The system refused to open or read a file: its permissions, as a rule, or a name that is not UTF-8.",
        example="chmod 000 refs/face.png",
        fix="chmod 644 refs/face.png",
    ),
    Code(
        name="FB413",
        exit_code=3,
        title="a reference renders to nothing",
        cause="A reference has no path for a row: the cell is empty, or the list has nothing in it.",
        example='references: {logo: "{{ product.logo }}"}, where a row has no logo',
        fix='references: {logo: {path: "{{ product.logo }}", optional: true}}',
    ),
)
