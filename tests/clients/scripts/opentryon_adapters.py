"""The FLUX.2 adapters of OpenTryOn, as its documentation uses them."""

import io
import json
import os
import sys
from pathlib import Path

from PIL import Image
from tryon.api import Flux2FlexAdapter, Flux2ProAdapter

file, url = sys.argv[1:]
base_url = os.environ["BFL_BASE_URL"]

pro = Flux2ProAdapter(base_url=base_url)
made = pro.generate_text_to_image(prompt="a paper boat", width=512, height=512, seed=42)
edited = pro.generate_image_edit(prompt="a red boat", input_image=file, width=512, height=512)
several = pro.generate_multi_image(
    prompt="boats", images=[file, url, Image.open(file), io.BytesIO(Path(file).read_bytes())], width=512, height=512
)
flex = Flux2FlexAdapter(base_url=base_url)
tuned = flex.generate_text_to_image(
    prompt="a paper boat", width=512, height=512, guidance=7.5, steps=50, prompt_upsampling=True, seed=42
)
sizes = [image.size for images in (made, edited, several, tuned) for image in images]
print(json.dumps({"sizes": sizes}))
