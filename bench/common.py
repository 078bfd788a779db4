"""
What the Python contenders share: the allocator, numbers from a formula (bench/configs.ts has the same), the protocol.

A contender prints a line `{"ready": true, ...}` and then answers each `run N` on stdin with one JSON line, until `quit`.
Import this before torch: `restart_with` starts the interpreter again.
"""

import ctypes.util
import json
import os
import sys

ALLOCATORS = {"jemalloc": "jemalloc", "tcmalloc": "tcmalloc_minimal", "system": None}


def find(library):
    """Of the system, or beside this Python (pip install intel-openmp)."""
    beside = os.path.join(sys.prefix, "lib", f"lib{library}.so")
    return beside if os.path.exists(beside) else ctypes.util.find_library(library)


def restart_with(threads, allocator="jemalloc", openmp="gomp", binding="free"):
    """
    Start again under another malloc (the system's returns large blocks to the kernel and takes page faults each step),
    another OpenMP, threads bound to cores. Returns what is in force: a library that is not installed is left out.
    """
    if "MARCO_BENCH_RESTARTED" not in os.environ:
        libraries = {allocator: find(ALLOCATORS[allocator] or ""), openmp: find("iomp5") if openmp == "iomp" else None}
        preload = [library for library in libraries.values() if library]
        in_force = {
            "allocator": allocator if libraries[allocator] else "system",
            "openmp": openmp if libraries[openmp] else "gomp",
            "binding": binding,
        }
        os.environ.update(OMP_NUM_THREADS=str(threads), MARCO_BENCH_RESTARTED=json.dumps(in_force))
        if preload:
            os.environ["LD_PRELOAD"] = " ".join([*preload, os.environ.get("LD_PRELOAD", "")]).strip()
        if binding == "bound":
            os.environ.update(OMP_PROC_BIND="true", OMP_PLACES="cores", KMP_AFFINITY="granularity=fine,compact,1,0")
        os.environ.setdefault("MALLOC_CONF", "background_thread:true,dirty_decay_ms:-1,muzzy_decay_ms:-1,metadata_thp:auto")
        os.execv(sys.executable, [sys.executable, *sys.argv])
    return json.loads(os.environ["MARCO_BENCH_RESTARTED"])


def hashed(name, count):
    """Numbers in [0, 1): lowbias32(fnv1a32(name) + i) / 2^32 of `count` consecutive i, all modulo 2^32."""
    import numpy as np

    seed = 0x811C9DC5
    for byte in name.encode():
        seed = ((seed ^ byte) * 0x01000193) & 0xFFFFFFFF
    x = np.arange(count, dtype=np.uint32) + np.uint32(seed)
    x ^= x >> np.uint32(16)
    x *= np.uint32(0x7FEB352D)
    x ^= x >> np.uint32(15)
    x *= np.uint32(0x846CA68B)
    return (x ^ (x >> np.uint32(16))) / 2**32


def make_parameter(name, shape, width=0.04):
    """Named as Hugging Face names it, row-major: width (u - 0.5); norms 1 + that."""
    import numpy as np
    import torch

    values = width * (hashed(name, int(np.prod(shape))) - 0.5)
    if "norm" in name:
        values = 1 + values
    return torch.from_numpy(values.astype(np.float32)).view(tuple(shape))


def make_tokens(name, shape, vocabulary):
    """Ids floor(V u^3), a skewed distribution with something to learn; row-major."""
    import numpy as np
    import torch

    u = hashed(name, int(np.prod(shape)))
    return torch.from_numpy(np.floor(vocabulary * (u * u * u)).astype(np.int64)).view(tuple(shape))


def serve(ready, run):
    """Print `ready`, then answer `run N` with run(N)."""

    def answer(value):
        print(json.dumps(value), flush=True)

    answer({"ready": True, **ready})
    for line in sys.stdin:
        match line.split():
            case ["run", count] if count.isdigit():
                answer(run(int(count)))
            case ["quit"]:
                return
            case []:
                pass
            case _:
                answer({"error": f"unknown command {line.strip()!r}; expected 'run N' or 'quit'"})
