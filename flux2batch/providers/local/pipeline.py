"""A model loaded on one device by diffusers, and the one call that draws. All heavy imports are in here, and lazy."""

from __future__ import annotations

import gc
import io
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from flux2batch.errors import MachineError
from flux2batch.planning.models.catalogue import Entry
from flux2batch.providers.answers import shown
from flux2batch.providers.local.devices import Placement
from flux2batch.providers.local.embeddings import Embeddings
from flux2batch.providers.local.gate import Gate
from flux2batch.providers.local.request import CannotDraw, Drawn, OnStep, Request

_GATE = Gate()
_NO_GUIDANCE = 1.0  # distilled models take none; this value says so without a warning
_OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory", "alloc_cpu")
_QUALITY: Mapping[str, Mapping[str, Any]] = {
    "png": {},
    "jpeg": {"quality": 95, "subsampling": 0},
    "webp": {"quality": 95},
}


class Pipeline:
    """One device. It holds one model at a time; not for two threads at once."""

    def __init__(
        self,
        placement: Placement,
        *,
        weights: Mapping[str, Path],
        entries: Mapping[str, Entry],
        open_folder: Callable[[Path, Placement], Any] | None = None,
    ) -> None:
        self.name = placement.device
        self.loaded: str | None = None
        self._placement = placement
        self._weights = weights
        self._entries = entries
        self._open_folder = open_folder or _loaded
        self._pipe: Any = None
        self._embeddings = Embeddings()

    def load(self, model: str) -> str:
        """Load a model from its folder, in the place of the one that is loaded. Raises MachineError."""
        if self.loaded == model:
            return f"{model} on {self._placement}"
        began = time.monotonic()
        self.close()
        try:
            with _GATE.loading():
                self._pipe = self._open_folder(self._weights[model], self._placement)
        except Exception as error:
            # diffusers, transformers, safetensors and torch each have errors of their own for the same folder.
            remedy = self._more_room if _is_out_of_memory(error) else "The folder may be damaged: fetch it again."
            where = f"{model} cannot be loaded on {self._placement.device} from {self._weights[model]}"
            raise MachineError(f"{where}: {shown(str(error))}. {remedy}") from error
        self.loaded = model
        return f"{model} on {self._placement}, loaded in {time.monotonic() - began:.1f} s"

    def draw(self, request: Request, on_step: OnStep) -> Drawn:
        """Draw one picture. Raises CannotDraw, whatever `on_step` raises, or what a library raises."""
        self.load(request.model)
        try:
            with _GATE.drawing():
                return self._draw(request, on_step)
        except Exception as error:
            if not _is_out_of_memory(error):
                raise
            why = CannotDraw(
                f"not enough memory on {self._placement.device} for {request.width}x{request.height} with"
                f" {len(request.references)} references. {self._more_room}"
            )
        # Outside the handler: the error's frames would keep every tensor of the attempt alive.
        self._sweep()
        raise why

    def close(self) -> None:
        """Let go of the model and its memory."""
        self._pipe, self.loaded = None, None
        self._embeddings.clear()
        self._sweep()

    def _draw(self, request: Request, on_step: OnStep) -> Drawn:
        import torch

        began = time.monotonic()
        how, reused = self._encoded(request)
        encoded = time.monotonic()
        self._reset_peak()
        picture = self._pipe(
            **how,
            image=[_opened(content) for content in request.references] or None,
            width=request.width,
            height=request.height,
            num_inference_steps=request.steps,
            generator=torch.Generator("cpu").manual_seed(request.seed),
            callback_on_step_end=_told(on_step, request.steps),
            output_type="pil",
        ).images[0]
        drawn = time.monotonic()
        details = {
            "device": self._placement.device,
            "dtype": self._placement.dtype,
            "encode_s": round(encoded - began, 4),
            "draw_s": round(drawn - encoded, 4),
            "embeddings": "reused" if reused else "made",
            **self._peak(),
        }
        return Drawn(content=_written(picture, request.output_format), details=details)

    def _encoded(self, request: Request) -> tuple[dict[str, Any], bool]:
        """The prompt for the call: what the pipeline would work out itself, once for all shots that share it."""
        entry = self._entries[request.model]
        guidance = _NO_GUIDANCE if request.guidance is None else request.guidance
        embedding, reused = self._embedding(request.prompt)
        how = {"prompt_embeds": embedding, "guidance_scale": guidance}
        draws_twice = entry.weights is not None and entry.weights.distilled is False and guidance > 1
        if draws_twice:
            how["negative_prompt_embeds"] = self._embedding("")[0]
        return how, reused

    def _embedding(self, prompt: str) -> tuple[Any, bool]:
        return self._embeddings.get(prompt, self._placement.device, self._encode)

    def _encode(self, prompt: str) -> Any:
        import torch

        most = 512
        length = _tokens(self._pipe, prompt)
        if length > most:
            raise CannotDraw(f"the prompt has {length} tokens, and the model would pass over all behind the {most}th")
        with torch.no_grad():
            return self._pipe.encode_prompt(prompt, device=self._placement.device, max_sequence_length=most)[0]

    @property
    def _more_room(self) -> str:
        spare = ", or spare memory: --offload model, --quantise fp8" if self.name.startswith("cuda") else ""
        return f"Ask for a smaller size or fewer references{spare}."

    def _sweep(self) -> None:
        gc.collect()
        if self._placement.device.startswith("cuda"):
            import torch

            torch.cuda.empty_cache()

    def _reset_peak(self) -> None:
        if self._placement.device.startswith("cuda"):
            import torch

            torch.cuda.reset_peak_memory_stats(self._placement.device)

    def _peak(self) -> dict[str, Any]:
        if not self._placement.device.startswith("cuda"):
            return {}
        import torch

        return {"peak_memory_bytes": torch.cuda.max_memory_allocated(self._placement.device)}


def _loaded(folder: Path, placement: Placement) -> Any:
    _be_quiet()
    import diffusers
    import torch

    if placement.threads is not None:
        torch.set_num_threads(placement.threads)
    dtype = getattr(torch, placement.dtype)
    pipe = diffusers.DiffusionPipeline.from_pretrained(
        folder, **{_dtype_argument(diffusers.__version__): dtype}, local_files_only=True, use_safetensors=True
    )
    pipe.set_progress_bar_config(disable=True)
    return placed(pipe, placement)


def placed(pipe: Any, placement: Placement) -> Any:
    """The pipeline on its device, its memory spared as the placement says."""
    import torch

    if placement.quantise == "fp8":
        from diffusers.hooks import apply_layerwise_casting

        for part in (pipe.transformer, pipe.text_encoder):
            apply_layerwise_casting(
                part,
                storage_dtype=torch.float8_e4m3fn,
                compute_dtype=getattr(torch, placement.dtype),
                skip_modules_pattern=_KEPT_WHOLE,
            )
    match placement.offload:
        case "model":
            pipe.enable_model_cpu_offload(device=placement.device)
        case "sequential":
            pipe.enable_sequential_cpu_offload(device=placement.device)
        case _:
            pipe.to(placement.device)
    return pipe


_KEPT_WHOLE = ("norm", "embed", "proj_out", "pos_embed", "lm_head")  # small, and eight bits would show


def _be_quiet() -> None:
    """Nothing is fetched, nothing is reported to anybody, and no bars are drawn across our own line."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    import diffusers
    import transformers

    for library in (diffusers, transformers):
        library.utils.logging.disable_progress_bar()
        library.utils.logging.set_verbosity_error()


def _dtype_argument(version: str) -> str:
    """diffusers 0.40 renamed the argument."""
    major, minor = (int(part) for part in version.split(".")[:2])
    return "dtype" if (major, minor) >= (0, 40) else "torch_dtype"


def _tokens(pipe: Any, prompt: str) -> int:
    """How many tokens the pipeline makes of the prompt, its own words around it included."""
    tokenizer = getattr(pipe.tokenizer, "tokenizer", pipe.tokenizer)
    if type(pipe).__name__ == "Flux2KleinPipeline":
        messages = [{"role": "user", "content": prompt}]
        text = tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=True, enable_thinking=False
        )
        return len(tokenizer(text)["input_ids"])
    # [dev] puts a system message before it and marks around both, of which there are fewer than sixteen.
    around = len(tokenizer(getattr(pipe, "system_message", ""))["input_ids"]) + 16
    return len(tokenizer(prompt)["input_ids"]) + around


def _told(on_step: OnStep, steps: int) -> Any:
    def told(_pipe: Any, step: int, _timestep: Any, kept: dict[str, Any]) -> dict[str, Any]:
        on_step(step + 1, steps)
        return kept

    return told


def _opened(content: bytes) -> Any:
    """A reference as the pipeline takes it; what is transparent lies on white."""
    from PIL import Image

    with Image.open(io.BytesIO(content), formats=("PNG", "JPEG", "WEBP")) as picture:
        if not picture.has_transparency_data:
            return picture.convert("RGB")
        clear = picture.convert("RGBA")
        ground = Image.new("RGBA", clear.size, "white")
        return Image.alpha_composite(ground, clear).convert("RGB")


def _written(picture: Any, output_format: str) -> bytes:
    sink = io.BytesIO()
    picture.save(sink, output_format.upper(), **_QUALITY[output_format])
    return sink.getvalue()


def _is_out_of_memory(error: Exception) -> bool:
    if isinstance(error, MemoryError) or type(error).__name__ in ("OutOfMemoryError", "AcceleratorError"):
        return "memory" in str(error).lower() or isinstance(error, MemoryError)
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in _OUT_OF_MEMORY)
