"""A small Ray cluster in a process of its own: prints its address, grows by a machine for each line that it reads."""

from __future__ import annotations

import os
import sys

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"

from ray.cluster_utils import Cluster


def main() -> None:
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    print(cluster.address, flush=True)
    for _ in sys.stdin:
        cluster.add_node(num_cpus=1)
        print("grown", flush=True)
    cluster.shutdown()


if __name__ == "__main__":
    main()
