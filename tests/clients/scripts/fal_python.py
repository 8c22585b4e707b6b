"""fal's own Python client: subscribe, submit with polling, and the synchronous way."""

import json

import fal_client

small = {"width": 512, "height": 512}
seen = []
subscribed = fal_client.subscribe(
    "fal-ai/flux-2",
    arguments={"prompt": "a paper boat", "image_size": small, "num_images": 2, "seed": 7},
    with_logs=True,
    on_queue_update=lambda update: seen.append(type(update).__name__),
)
handle = fal_client.submit("fal-ai/flux-2/flash", arguments={"prompt": "a paper boat", "image_size": small})
submitted = handle.get()
at_once = fal_client.run("fal-ai/flux-2/turbo", arguments={"prompt": "a paper boat", "image_size": small})
try:
    fal_client.subscribe("fal-ai/flux-2", arguments={"prompt": "a boat", "image_size": {"width": 8, "height": 8}})
    refused = None
except fal_client.FalClientHTTPError as error:
    refused = error.status_code
print(
    json.dumps(
        {
            "images": [len(answer["images"]) for answer in (subscribed, submitted, at_once)],
            "seed": subscribed["seed"],
            "last": seen[-1],
            "refused": refused,
        }
    )
)
