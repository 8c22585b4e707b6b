"""Hydra's own sweeper: the overrides of every job of a multirun, as its documents write a sweep."""

import json
import sys
import time

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser

shots = int(sys.argv[1])
arguments = [
    "subject=fox,clock",
    "light='overcast light','low golden sun'",
    "guidance=2.0,3.0,4.0,5.0,6.0",
    "steps=10,20,30,40,50",
    f"seed=range(1,{shots // 100 + 1})",
]
began = time.process_time()
overrides = OverridesParser.create().parse_overrides(arguments)
made = sum(len(batch) for batch in BasicSweeper.split_arguments(overrides, None))
print(json.dumps({"made": made, "seconds": time.process_time() - began}))
