// fal's own JavaScript client, through a proxy of one's own as its documentation describes.
import { createFalClient } from "@fal-ai/client";

const fal = createFalClient({
  credentials: process.env.FAL_KEY,
  proxyUrl: { url: process.env.FAL_BASE_URL, when: "always" },
});
const input = { prompt: "a paper boat", image_size: { width: 512, height: 512 }, num_images: 2, seed: 7 };
const seen = [];
const subscribed = await fal.subscribe("fal-ai/flux-2", {
  input, logs: true, onQueueUpdate: (update) => seen.push(update.status),
});
const { request_id } = await fal.queue.submit("fal-ai/flux-2/flash", { input });
await fal.queue.subscribeToStatus("fal-ai/flux-2/flash", { requestId: request_id });
const submitted = await fal.queue.result("fal-ai/flux-2/flash", { requestId: request_id });
const once = await fal.run("fal-ai/flux-2/turbo", { input });
let refused = null;
try {
  await fal.subscribe("fal-ai/flux-2", { input: { ...input, image_size: { width: 8, height: 8 } } });
} catch (error) {
  refused = error.status;
}
console.log(JSON.stringify({
  images: [subscribed, submitted, once].map((made) => made.data.images.length),
  seed: subscribed.data.seed, last: seen.at(-1), refused,
}));
