"""fal's Python client over plain http, its addresses set as docs/emulator.md says: an upload, an edit, a run."""

import json
import os
import sys

import fal_client
import fal_client.client as inner

base = os.environ["FAL_BASE_URL"]
inner.QUEUE_URL_FORMAT, inner.RUN_URL_FORMAT = f"{base}/", f"{base}/run/"
inner.REST_URL = inner.CDN_URL = base

client = fal_client.SyncClient(key=os.environ["FAL_KEY"])
url = client.upload_file(sys.argv[1])
edited = client.subscribe("fal-ai/flux-2/edit", arguments={"prompt": "x", "image_urls": [url]}, with_logs=True)
ran = client.run("fal-ai/flux-2-pro", arguments={"prompt": "x"})
print(json.dumps({"edited": len(edited["images"]), "ran": len(ran["images"]), "at": url.startswith(base)}))
