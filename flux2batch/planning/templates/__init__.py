"""Templates: Jinja in a sandbox whose bounds hold; `planning/templating.py` is the way in."""
