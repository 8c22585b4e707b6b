// Vercel's provider for BFL, called as its `generateImage` calls it.
import { createBlackForestLabs } from "@ai-sdk/black-forest-labs";

const bfl = createBlackForestLabs({
  apiKey: process.env.BFL_API_KEY,
  baseURL: `${process.env.BFL_BASE_URL}/v1`,
  pollIntervalMillis: 50,
});
const generate = (model, options) =>
  bfl.image(model).doGenerate({ n: 1, prompt: "a paper boat", size: undefined, aspectRatio: undefined, seed: 7,
    providerOptions: {}, files: undefined, mask: undefined, ...options });

const pro = await generate("flux-2-pro", { size: "512x512" });
const flex = await generate("flux-2-flex", {
  size: "512x512",
  providerOptions: { blackForestLabs: { steps: 20, guidance: 4, outputFormat: "png" } },
});
let refused = null;
try {
  await generate("flux-2-pro", { size: "8x8" });
} catch (error) {
  refused = error.statusCode ?? String(error);
}
const kinds = [pro, flex].map((made) => Buffer.from(made.images[0]).subarray(0, 4).toString("hex"));
console.log(JSON.stringify({ kinds, cost: pro.providerMetadata?.blackForestLabs?.images?.[0]?.cost ?? null, refused }));
