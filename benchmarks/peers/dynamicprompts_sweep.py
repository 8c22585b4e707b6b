"""dynamicprompts' combinatorial generator: all prompts of a template with so many combinations."""

import json
import sys
import time

from dynamicprompts.generators import CombinatorialPromptGenerator

shots = int(sys.argv[1])
seeds = "|".join(str(n) for n in range(1, shots // 100 + 1))
template = (
    "{a red fox asleep in fresh snow|a brass clock, the word TEMPO on its dial}, {overcast light|low golden sun}, "
    f"{{2.0|3.0|4.0|5.0|6.0}}, {{10|20|30|40|50}}, {{{seeds}}}"
)
began = time.process_time()
prompts = CombinatorialPromptGenerator().generate(template, max_prompts=shots)
print(json.dumps({"made": len(prompts), "seconds": time.process_time() - began}))
