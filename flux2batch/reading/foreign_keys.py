"""Keys that people bring along from elsewhere, and what to say about each."""

from __future__ import annotations

import re
from collections.abc import Mapping

SERVICE_NAMES: Mapping[str, str] = {
    "guidance_scale": "guidance",
    "num_inference_steps": "steps",
    "inference_steps": "steps",
    "image_size": "size",
    "aspect_ratio": "aspect",
    "prompt_upsampling": "upsampling",
    "disable_pup": "upsampling",
    "enable_prompt_expansion": "upsampling",
    "expand_prompt": "upsampling",
    "enable_safety_checker": "safety_checker",
    "random_seed": "seed",
    "num_outputs": "num_images",
    "num_images_per_prompt": "num_images",
    "image_url": "references",
    "image_urls": "references",
    **{f"input_image{suffix}": "references" for suffix in ("", *(f"_{n}" for n in range(2, 11)))},
}
"""What the services call a thing, and our one name for it."""

OTHER_TOOLS: Mapping[str, str] = {
    "negative_prompt": "FLUX.2 has no negative prompt: say in the prompt what you want instead",
    "negative": "FLUX.2 has no negative prompt: say in the prompt what you want instead",
    "cfg": "the name here is 'guidance'",
    "cfg_scale": "the name here is 'guidance'",
    "distilled_cfg_scale": "the name here is 'guidance'",
    "true_cfg_scale": "FLUX.2 has one guidance; the name here is 'guidance'",
    "sampler": "FLUX.2 has no choice of sampler: leave it out",
    "sampler_name": "FLUX.2 has no choice of sampler: leave it out",
    "sampler_index": "FLUX.2 has no choice of sampler: leave it out",
    "scheduler": "FLUX.2 has no choice of scheduler: leave it out",
    "clip_skip": "FLUX.2 has no CLIP layers to skip: leave it out",
    "hires_fix": "FLUX.2 draws up to 4 megapixels at once: say it with 'size' in 'params'",
    "enable_hr": "FLUX.2 draws up to 4 megapixels at once: say it with 'size' in 'params'",
    "denoising_strength": "an edit is steered by its words, not by a strength: leave it out",
    "strength": "an edit is steered by its words, not by a strength: leave it out",
    "image": "pictures to work from stand under 'references'",
    "images": "pictures to work from stand under 'references'",
    "init_image": "pictures to work from stand under 'references'",
    "init_images": "pictures to work from stand under 'references'",
    "inputs": "pictures to work from stand under 'references'",
    "batch_size": "'repeat' asks for each point several times",
    "batch_count": "'repeat' asks for each point several times",
    "n_iter": "'repeat' asks for each point several times",
    "n": "'repeat' asks for each point several times",
    "count": "'repeat' asks for each point several times",
    "provider": "the service is the first part of 'model', as in bfl/flux-2-pro",
    "service": "the service is the first part of 'model', as in bfl/flux-2-pro",
    "version": "the version of the language is the key 'flux2batch'",
    "matrix": "the name here is 'sweep'",
    "grid": "the name here is 'sweep'",
    "axes": "the name here is 'sweep'",
    "variables": "the name here is 'vars'",
    "quality": "the services have no such setting; 'steps' and 'size' in 'params' come nearest",
    "style": "say the style in the prompt",
    "exact": "a size to the pixel is written size: {exact: 1080x1350}",
}
"""What to say about keys of other tools."""

# fmt: off
_OF_THE_USER = frozenset((
    "base_url", "bfl_base_url", "fal_base_url", "api_base", "api_base_url", "api_url", "endpoint", "endpoints",
    "host", "hosts", "region", "origin", "webhook", "webhook_url", "webhook_secret", "headers", "header",
    "extra_headers", "proxy", "proxies", "http_proxy", "https_proxy", "verify", "verify_ssl", "ca_bundle",
    "cert", "insecure", "trust", "trusted", "trust_env", "allow", "allow_paths", "allow_path", "prices",
    "price", "limits", "per_run_usd", "per_day_usd", "max_shots", "reuse", "config", "configuration", "env",
    "environment", "on_done", "hooks", "plugins",
))
# fmt: on

_A_SECRET = re.compile(
    r"(^|_)(api_?key|fal_key(_id|_secret)?|bfl_key|x_key|access_?key|secret_?key|private_?key"
    r"|access_token|auth_token|client_secret|authorization)$"
)
_A_SECRET_WHERE_WE_NAME_THE_KEYS = re.compile(r"(^|_)(key|token|secret|password|passwd|bearer|auth|credentials?)$")


def is_of_the_user(key: str) -> bool:
    """Whether this is a setting of the person who runs the job: never a job's to choose."""
    return _plain(key) in _OF_THE_USER


def names_a_secret(key: str, *, ours: bool) -> bool:
    """Whether a key announces a secret. `ours`: at a place where the language, not the user, names the keys."""
    plain = _plain(key)
    return bool(_A_SECRET.search(plain) or (ours and _A_SECRET_WHERE_WE_NAME_THE_KEYS.search(plain)))


def _plain(key: str) -> str:
    return key.casefold().replace("-", "_").replace(" ", "_")[:100]
