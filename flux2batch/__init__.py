"""flux2batch: a declarative batch pipeline for FLUX.2 image generation."""

__version__ = "0.1.0"
