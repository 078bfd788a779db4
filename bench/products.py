"""
How many floating-point operations a second matrix products reach with PyTorch: the twin of bench/products.ts.

    python bench/products.py '[[1024, 1024, 1024]]'      [m, k] by [k, n]; then `run 1` on stdin (bench/common.py)
"""

import json
import os
import sys
import time

from common import restart_with, serve

restart_with(os.cpu_count())

import torch  # noqa: E402

SECONDS = 0.15  # at least so long for each shape and run; the fastest product counts


def measure(shapes):
    """The highest of each shape, in FLOP/s."""
    flops = []
    for a, b, y in shapes:
        best, end = float("inf"), time.perf_counter() + SECONDS
        while time.perf_counter() < end:
            start = time.perf_counter()
            torch.mm(a, b.T, out=y)
            best = min(best, time.perf_counter() - start)
        flops.append(2 * a.shape[0] * b.shape[0] * a.shape[1] / best)
    return flops


@torch.no_grad()
def main():
    torch.set_num_threads(os.cpu_count())
    uniform = lambda rows, columns: torch.rand(rows, columns) * 2 - 1  # noqa: E731
    shapes = [(uniform(m, k), uniform(n, k), torch.empty(m, n)) for m, n, k in json.loads(sys.argv[1])]
    measure(shapes)

    def run(_):
        start = time.perf_counter()
        flops = measure(shapes)
        return {"flops": flops, "seconds": [time.perf_counter() - start]}

    serve({"contender": "pytorch", "version": torch.__version__, "warmup": {"seconds": [1]}}, run)


if __name__ == "__main__":
    main()
