# SPDX-License-Identifier: MIT
"""The yardstick: the best that an online placement can do, by exhaustion.

For each request, over all GPU sets and node splits, the best by (1) placed, (2) the largest distance between
any two parts (see rules.py), (3) how many of the standard requests (1, 2, 4, 8 GPUs with mean CPUs and
memory) still fit afterwards, each for itself. Where these leave a tie: the least sum of the largest distances
at which they would fit, then what leaves the free GPUs, CPUs and memory least spread over the nodes, then the
first in the order of GPUs. Of the ways to break ties that were tried this places most.

Written from the text of the issue that asked for it; it shares no code with gpuvm.
"""
import functools

import rules


class Yardstick:
    name = "yardstick"
    source = "exhaustive search"

    def __init__(self, host, standards):
        self.host, self.standards = host, standards
        self.nearest = functools.lru_cache(1 << 18)(lambda state, request: rules.nearest(host, state, request))
        self.value = functools.lru_cache(1 << 18)(self.count_what_fits)

    def count_what_fits(self, state):
        """Larger is better."""
        levels = [self.nearest(state, request) for request in self.standards]
        found = [level for level in levels if level is not None]
        return len(found), -sum(found), self.gathered(state)

    def gathered(self, state):
        """The sum of squares of each node's free shares."""
        _, cores, units = self.host.empty()
        gpus = [0] * len(cores)
        for gpu, node in enumerate(self.host.gpu_nodes):
            gpus[node] += state[0] >> gpu & 1
        return sum((state[1][node] / cores[node]) ** 2 + (state[2][node] / units[node]) ** 2 +
                   (gpus[node] / len(self.host.paths)) ** 2 for node in range(len(cores)))

    def choose(self, state, request):
        """(mask, split), or None."""
        best, best_value, best_level = None, None, None
        for level, nodes, mask in self.host.sets[request[0]]:
            if mask & state[0] != mask:
                continue
            if best is not None and level > best_level:
                break
            for split in self.usable_splits(state, nodes, request):
                value = self.value(rules.without(self.host, state, mask, split))
                if best is None or value > best_value:
                    best, best_value, best_level = (mask, split), value, level
        return best

    def usable_splits(self, state, nodes, request):
        if not rules.can_split(self.host, state, nodes, request):
            return ()
        return rules.splits(self.host, state, nodes, request)
