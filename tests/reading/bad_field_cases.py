"""Mistakes in the keys and values of a job file: what each must get. A table, shared by all who read job files.

A case is one file and everything that is said about it, as "CODE line:column words of the message or the help".
Rows that need the catalogue of models (B45 to B50, B53, B54, B59) are in tests/planning.
"""

from __future__ import annotations

from dataclasses import dataclass

KEY = "bfl_" + "0123456789abcdef" * 2
"""Looks like a key of BFL and is none. It must not be seen in any message."""


@dataclass(frozen=True, slots=True)
class Case:
    row: str
    what: str
    yaml: str
    found: tuple[str, ...]
    exit: int = 3
    beyond_json: bool = False
    """Whether a JSON Schema alone cannot see it: how a number is written, a key of a service, a name of an axis."""

    def __str__(self) -> str:
        return f"{self.row}-{self.what}".replace(" ", "-")


def job(*lines: str) -> str:
    """A good job of two lines, with the lines in question from line 3 on."""
    return "\n".join(("flux2batch: 1", "prompt: a paper boat on a lake", *lines, ""))


def text(*lines: str) -> str:
    return "\n".join((*lines, ""))


# fmt: off
CASES: tuple[Case, ...] = (
    # --- keys
    Case("B37", "typo at the top", text("flux2batch: 1", "promt: a boat"),
         ("FB201 2:1 did you mean 'prompt'?",)),
    Case("B37", "typo in params", job("params: {widht: 1024, height: 768}"),
         ("FB201 3:10 did you mean 'width'?",)),
    Case("B37", "typo deep inside", job("sweep: {n: {random: [1, 9], cuont: 3}}"),
         ("FB201 3:29 did you mean 'count'?",)),
    Case("B37", "typo in capitals", job("Params: {seed: 3}"),
         ("FB201 3:1 did you mean 'params'?",)),
    Case("B38", "nothing near at the top", job("banana: 1"),
         ("FB201 3:1 known keys: flux2batch, name, description",)),
    Case("B38", "nothing near in run", job("run:", "  banana: 1"),
         ("FB201 4:3 known keys: concurrency, timeout, order",)),
    Case("B39", "seed at the top", job("seed: 7"),
         ("FB201 3:1 'seed' belongs in 'params' or 'sweep'",)),
    Case("B39", "budget's key at the top", job("max_usd: 7"),
         ("FB201 3:1 'max_usd' belongs in 'budget'",)),
    Case("B39", "model in params", job("params:", "  model: bfl/flux-2-pro"),
         ("FB201 4:3 'model' belongs at the top of the file",)),
    Case("B39", "parameter in output", job("output: {output_format: png}"),
         ("FB201 3:10 'output_format' belongs in 'params'",)),
    Case("B39", "exact beside size", job("params: {exact: 1080x1350}"),
         ("FB201 3:10 a size to the pixel is written size: {exact: 1080x1350}",)),
    Case("B40", "negative prompt", job("negative_prompt: ugly"),
         ("FB201 3:1 FLUX.2 has no negative prompt",)),
    Case("B40", "cfg_scale", job("params: {cfg_scale: 7}"),
         ("FB201 3:10 the name here is 'guidance'",)),
    Case("B40", "sampler", job("params: {sampler: euler}"),
         ("FB201 3:10 FLUX.2 has no choice of sampler",)),
    Case("B40", "guidance_scale", job("params: {guidance_scale: 3}"),
         ("FB201 3:10 the name here is 'guidance'",)),
    Case("B40", "num_inference_steps", job("params: {num_inference_steps: 3}"),
         ("FB201 3:10 the name here is 'steps'",)),
    Case("B40", "image_size", job("image_size: square"),
         ("FB201 3:1 the name here is 'size', in 'params' or 'sweep'",)),
    Case("B40", "prompt_upsampling", job("params: {prompt_upsampling: true}"),
         ("FB201 3:10 the name here is 'upsampling'",)),
    Case("B40", "disable_pup", job("params: {disable_pup: true}"),
         ("FB201 3:10 the name here is 'upsampling'",)),
    Case("B40", "service's name as an axis", job("sweep: {guidance_scale: [2, 3]}"),
         ("FB201 3:9 the name here is 'guidance'",)),
    Case("B40", "service's name as params axis", job("sweep: {params.image_size: [square]}"),
         ("FB201 3:9 the name here is 'size'",)),
    Case("B40", "service's name moved by a value", job("sweep: {a: [{id: x, set: {guidance_scale: 3}}]}"),
         ("FB201 3:27 the name here is 'guidance'",)),
    Case("B40", "picture to work from", job("input_image: a.png"),
         ("FB201 3:1 pictures to work from stand under 'references'",)),
    Case("B41", "no prompt", text("flux2batch: 1", "model: bfl/flux-2-pro"),
         ("FB202 1:1 missing key 'prompt'",)),
    Case("B41", "override without match", job("override:", "  - {set: {steps: 3}}"),
         ("FB202 4:6 missing key 'match' in entry 1 of override",)),
    Case("B41", "override that does nothing", job("sweep: {a: [x, y]}", "override: [{match: {a: x}}]"),
         ("FB202 4:13 missing key 'set' or 'repeat'",)),
    Case("B41", "table without file", job("data: {products: {key: sku}}"),
         ("FB202 3:19 missing key 'file' or 'picks' in products",)),
    Case("B41", "random without count", job("sweep: {n: {random: [1, 9]}}"),
         ("FB202 3:13 missing key 'count' in n",)),
    Case("B42", "prompt without value", text("flux2batch: 1", "prompt:"),
         ("FB207 2:1 prompt has no value",)),
    Case("B42", "null in params", job("params: {steps: null}"),
         ("FB207 3:10 steps has no value",)),
    Case("B42", "null on an axis", job("sweep: {light: [day, ~]}"),
         ("FB207 3:22 entry 2 of light has no value",)),
    Case("B42", "null constant", job("vars:", "  brand:"),
         ("FB207 4:3 brand has no value",)),
    Case("B42", "empty expression", job("sweep: {a: [x, y]}", "exclude: [{where: ''}]"),
         ("FB207 4:19 where is empty",)),

    # --- kinds of values
    Case("B43", "sweep a list", job("sweep: []"),
         ("FB205 3:8 sweep must be a mapping of axes, such as {seed: 1..4}, got a list",)),
    Case("B43", "prompt a list", text("flux2batch: 1", "prompt: [a boat]"),
         ("FB205 2:9 sweep: {prompt: […]}",)),
    Case("B43", "number in quotes", job('params: {width: "1024", height: 768}'),
         ('FB205 3:17 width must be a whole number, got text "1024" (remove the quotes)',)),
    Case("B43", "several values in params", job("params: {guidance: [2, 3]}"),
         ("FB205 3:20 to try several values, make it an axis: sweep: {guidance: […]}",)),
    Case("B43", "range in params", job("params: {seed: 1..4}"),
         ("FB205 3:16 a range stands under 'sweep', as in sweep: {seed: 1..4}",)),
    Case("B43", "one word as an axis", job("sweep: {light: dusk}"),
         ("FB205 3:16 write [dusk]",)),
    Case("B43", "one number as an axis", job("sweep: {steps: 20}"),
         ("FB205 3:16 write [20]",)),
    Case("B43", "list as a value", job("sweep: {palette: [[red, blue]]}"),
         ("FB205 3:19 a value that is itself a list needs a name",)),
    Case("B43", "range of another tool", job("sweep: {steps: {from: 1, to: 5}}"),
         ("FB205 3:16 a range is written 1..5 step 2",)),
    Case("B43", "zip a mapping", job("zip: {a: [x], b: [y]}"),
         ("FB205 3:6 put it in a list",)),
    Case("B43", "exclude a mapping", job("exclude: {a: x}"),
         ("FB205 3:10 put it in a list",)),
    Case("B43", "table as text", job("data: {products: data/products.csv}"),
         ("FB205 3:18 write {file: data/products.csv}",)),
    Case("B43", "name a number", job("name: 2026"),
         ('FB205 3:7 put it in quotes: "2026"',)),
    Case("B43", "timeout without unit", job("run: {timeout: 900}"),
         ("FB205 3:16 say the unit: 900s or 900m",)),
    Case("B43", "concurrency in quotes", job('run: {concurrency: "4"}'),
         ("FB205 3:20 remove the quotes",)),
    Case("B43", "budget with a sign", job("budget: {max_usd: $8}"),
         ("FB205 3:19 write 8",)),
    Case("B43", "size a number", job("params: {size: 1024}"),
         ("FB205 3:16 write 1024x1024",)),
    Case("B43", "url of a reference", job("references: {hero: {url: 'https://example.com/a.png'}}"),
         ("FB205 3:20 a file or an https URL stands under 'path'",)),
    Case("B43", "collage of one", job("references: {board: {collage: a.png}}"),
         ("FB205 3:31 write [a.png]",)),
    Case("B28", "no for false", job("params: {upsampling: no}"),
         ("FB205 3:22 write false",)),
    Case("B28", "yes for true", job("references: {logo: {path: a.png, optional: yes}}"),
         ("FB205 3:44 write true",)),
    Case("B31", "seed 1e3", job("params: {seed: 1e3}"),
         ("FB205 3:16 got 1e3 (write 1000)",), beyond_json=True),
    Case("B31", "seed with underscore", job("params: {seed: 1_000}"),
         ("FB205 3:16 write 1000",)),
    Case("B31", "half a step", job("params: {steps: 20.5}"),
         ("FB205 3:17 steps must be a whole number, got 20.5",)),

    # --- words
    Case("B44", "model without service", job("model: flux2-pro"),
         ("FB203 3:8 did you mean 'bfl/flux-2-pro'?",)),
    Case("B44", "model in capitals", job("model: flux-2-PRO"),
         ("FB203 3:8 did you mean 'bfl/flux-2-pro'?",)),
    Case("B44", "equal", job("equal: shared"),
         ("FB203 3:8 equal must be error or share, got \"shared\" (did you mean 'share'?)",)),
    Case("B44", "order", job("run: {order: random}"),
         ("FB203 3:14 order must be written or spread",)),
    Case("B44", "repeat's seed", job("repeat: {count: 4, seed: sam}"),
         ("FB203 3:26 did you mean 'same'?",)),
    Case("B44", "preset", job("params: {size: landscape4_3}"),
         ("FB203 3:16 did you mean 'landscape_4_3'?",)),
    Case("B44", "size with a star", job("params: {size: 1024*1024}"),
         ("FB203 3:16 size must be WIDTHxHEIGHT",)),
    Case("B44", "sheet's axis", job("sweep: {seed: [2, 3]}", "sheet: {x: sed}"),
         ("FB203 4:12 no axis is called 'sed' (did you mean 'seed'?)",), beyond_json=True),
    Case("B44", "seed for an axis that is none", job("sweep: {product: [x, y]}", "params: {seed: {per: [products]}}"),
         ("FB203 4:23 did you mean 'product'?",), beyond_json=True),
    Case("B44", "rule's axis", job("sweep: {seed: [2, 3]}", "exclude: [{sede: 2}]"),
         ("FB201 4:12 no axis is called 'sede' (did you mean 'seed'?)",), beyond_json=True),
    Case("B48", "width and aspect_ratio", job("params:", "  width: 1024", "  aspect_ratio: 16:9"),
         ("FB201 5:3 the name here is 'aspect'",)),
    Case("B48", "width and aspect", job("params:", "  height: 768", "  width: 1024", "  aspect: 16:9"),
         ("FB208 6:3 give either 'width' or 'aspect'",)),
    Case("B48", "size and aspect", job("params: {aspect: 16:9, size: 1024x1024}"),
         ("FB208 3:24 give either 'aspect' or 'size'",)),
    Case("B48", "two sources of an axis", job("sweep: {a: {file: a.txt, glob: '*.png'}}"),
         ("FB208 3:26 give either 'file' or 'glob'",)),
    Case("B51", "jpg", job("params: {output_format: jpg}"),
         ("FB203 3:25 did you mean 'jpeg'?",)),
    Case("B52", "empty prompt", text("flux2batch: 1", 'prompt: ""'),
         ("FB209 2:9 the prompt is empty",)),
    Case("B52", "only spaces", text("flux2batch: 1", 'prompt: "   "'),
         ("FB209 2:9 the prompt is empty",)),
    Case("B52", "empty structured prompt", text("flux2batch: 1", "prompt: {}"),
         ("FB209 2:9 the prompt is empty",)),
    Case("B56", "name with a stroke", job("name: spring/boats"),
         ("FB212 3:7 name must be text that can name a folder",)),
    Case("B56", "name with a control character", job(r'name: "a\tb"'),
         ("FB212 3:7 name must be text that can name a folder",)),
    Case("B56", "name of dots", job("name: .."),
         ("FB212 3:7 a . or - at the beginning",)),
    Case("B56", "name of 300 characters", job("name: " + "x" * 300),
         ("FB212 3:7 more than 100 characters",)),
    Case("B56", "axis with a hyphen", job("sweep: {art-style: [ink, oil]}"),
         ("FB212 3:9 write 'art_style'",)),
    Case("B56", "reserved axis", job("sweep: {where: [here, there]}"),
         ("FB212 3:9 'where' has a meaning of its own in templates",)),
    Case("B56", "reserved constant", job("vars: {job: x}"),
         ("FB212 3:8 'job' has a meaning of its own in templates",)),
    Case("B56", "word of the templates", job("sweep: {not: [x, y]}"),
         ("FB212 3:9 'not' has a meaning of its own in templates",)),
    Case("B56", "name that is a picture", job("sweep: {🦊: [x, y]}"),
         ("FB212 3:9 cannot be a name",), beyond_json=True),
    Case("B56", "parameter twice named", job("sweep: {params.steps: [20, 30]}"),
         ("FB201 3:9 write 'steps' alone",)),
    Case("B58", "provider", job("provider: openai"),
         ("FB201 3:1 the service is the first part of 'model'",)),

    # --- the version of the language
    Case("B30", "version 1.0", text("flux2batch: 1.0", "prompt: a boat"),
         ("FB206 1:13 flux2batch must be the number 1, got 1.0 (write flux2batch: 1)",), beyond_json=True),
    Case("B30", "version in quotes", text('flux2batch: "1"', "prompt: a boat"),
         ('FB206 1:13 flux2batch must be the number 1, got text "1"',)),
    Case("B30", "no version", text("prompt: a boat"),
         ("FB206 1:1 missing key 'flux2batch'",)),
    Case("B30", "version without value", text("flux2batch:", "prompt: a boat"),
         ("FB206 1:12 flux2batch must be the number 1, got nothing",)),
    Case("B57", "newer language", text("flux2batch: 2", "promt: a boat", "stages: []"),
         ("FB206 1:13 made for a newer flux2batch",)),

    # --- numbers of the language itself
    Case("B50", "repeat nought", job("repeat: 0"),
         ("FB204 3:9 repeat must be at least 1, got 0",)),
    Case("B50", "budget below nought", job("budget: {max_usd: -1}"),
         ("FB204 3:19 max_usd must be at least 0, got -1",)),
    Case("B50", "no megapixels", job("params: {aspect: 1:1, megapixels: 0}"),
         ("FB204 3:35 megapixels must be more than 0, got 0",)),

    # --- secrets, and what is not a job's to say
    Case("B60", "api key", job(f"api_key: {KEY}"),
         ("FB701 3:1 keys never go into a job file",), exit=4),
    Case("B60", "key in a section", job(f"run: {{bfl-api-key: {KEY}, concurency: 4}}"),
         ("FB701 3:7 keys never go into a job file", "FB201 3:58 did you mean 'concurrency'?"), exit=4),
    Case("B60", "key among constants", job("vars:", "  fal_key: 'very secret'"),
         ("FB701 4:3 keys never go into a job file",), exit=4, beyond_json=True),
    Case("B60", "key in a prompt", text("flux2batch: 1", f"prompt: a boat {KEY}"),
         ("FB701 2:9 this looks like the key of a service",), exit=4, beyond_json=True),
    Case("B60", "key where a number belongs", job(f"params: {{seed: {KEY}}}"),
         ("FB701 3:16 looks like the key", "FB205 3:16 seed must be a whole number"), exit=4),
    Case("B60", "key in a header", job("headers:", f"  Authorization: Bearer {KEY}"),
         ("FB705 3:1 belongs in your own configuration", "FB701 4:3 keys never go into a job file"), exit=4),
    Case("S27", "base_url", job("base_url: https://api.example.com"),
         ("FB705 3:1 'base_url' is not a job's to set: it belongs in your own configuration",), exit=4),
    Case("S27", "webhook_url", job("webhook_url: https://example.com"),
         ("FB705 3:1 belongs in your own configuration",), exit=4),
    Case("S27", "proxy", job("run: {proxy: 'http://example.com'}"),
         ("FB705 3:7 belongs in your own configuration",), exit=4),
    Case("S27", "trust", job("trust: true"),
         ("FB705 3:1 belongs in your own configuration",), exit=4),

    # --- several at once, in the order of the file
    Case("B106", "four at once", text("flux2batch: 1", "promt: a boat", "params: {steps: '20', seed: }", "equal: no"),
         ("FB201 2:1 did you mean 'prompt'?", "FB205 3:17 remove the quotes", "FB207 3:23 seed has no value",
          "FB203 4:8 equal must be error or share")),
)
# fmt: on
