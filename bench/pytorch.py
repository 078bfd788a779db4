"""
The opponent: a full training step (forward, backward, clipping, AdamW) of a compact Qwen2 in PyTorch, tuned for a CPU.

Needs only torch (`bench/requirements.txt`). The model is checked against Hugging Face's numbers with
    python bench/pytorch.py --check test/fixtures/qwen2/tied
and served to a benchmark, which can so interleave contenders in time, with
    python bench/pytorch.py --config A
which prints a line `{"ready": true, ...}` and then answers commands on stdin, one JSON line each:
    run 20      -> {"steps": 20, "seconds": [one per step], "loss": last, "losses": [...], "grad_norms": [...]}
    quit
or, without stdin, `--steps 20` prints one line with the median and leaves.

The defaults are the fastest of what was tried on two Zen 3 cores: torch.compile (1 to 7 % over eager), fused AdamW and
jemalloc (each 0 to 5 %). No gain: hand-written autograd for RMSNorm, RoPE and SwiGLU, F.linear_cross_entropy (slower),
huge pages, telling MKL that the processor is Intel's. Measure on a quiet machine only: when another process takes a core,
OpenMP's spinning barriers slow this process down by up to forty times, and OMP_WAIT_POLICY=passive, which avoids that,
costs a third of the speed when quiet.

Weights and token ids come from a formula, so that another program can start from the same numbers and must then report
the same losses (see `hashed`, `make_parameter`, `make_batch`; integer hashing, float64 arithmetic, one rounding).
The shapes below: B sequences, T positions, C hidden, H query heads, K key/value heads, D = C / H, F intermediate, V.
"""

import argparse
import ctypes.util
import json
import os
import statistics
import sys
import time

CONFIGS = {
    "A": dict(V=4096, C=256, L=4, H=8, K=2, F=704, B=8, T=128),
    "B": dict(V=2048, C=128, L=4, H=4, K=2, F=352, B=8, T=128),
    "C": dict(V=8192, C=512, L=6, H=8, K=2, F=1408, B=4, T=256),
}
SETTINGS = dict(eps=1e-6, theta=1e6, tied=True, lr=1e-3, betas=(0.9, 0.95), adam_eps=1e-8, decay=0.1, max_norm=1.0)


def parse_arguments():
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--config", choices=CONFIGS, default="A")
    parser.add_argument("--steps", type=int, help="run so many steps, print one line and leave, instead of serving stdin")
    parser.add_argument("--warmup", type=int, default=5, help="steps before the first answer; they are training steps")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--compile", action="store_true", default=True, help="torch.compile (default; needs a C++ compiler)")
    mode.add_argument("--eager", dest="compile", action="store_false", help="no torch.compile: 1 to 7 %% slower")
    parser.add_argument("--optimizer", choices=["fused", "foreach"], default="fused")
    parser.add_argument("--allocator", choices=["system", "jemalloc", "tcmalloc_minimal"], default="jemalloc")
    parser.add_argument("--check", metavar="FOLDER", help="compare with a golden.json of test/fixtures/qwen2 and leave")
    return parser.parse_args()


def preload(allocator):
    """Start again under another malloc: the system's returns large blocks to the kernel and takes page faults each step."""
    library = None if allocator == "system" else ctypes.util.find_library(allocator)
    if library and "MARCO_BENCH_ALLOCATOR" not in os.environ:
        preloaded = f"{library} {os.environ.get('LD_PRELOAD', '')}".strip()
        os.environ.update(LD_PRELOAD=preloaded, MARCO_BENCH_ALLOCATOR=allocator)
        os.environ.setdefault("MALLOC_CONF", "background_thread:true,dirty_decay_ms:-1,muzzy_decay_ms:-1,metadata_thp:auto")
        os.execv(sys.executable, [sys.executable, *sys.argv])
    return os.environ.get("MARCO_BENCH_ALLOCATOR", "system")


arguments = parse_arguments()
allocator = preload(arguments.allocator)

import numpy as np  # noqa: E402  (after the restart: importing torch takes seconds)
import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402


# ---------------------------------------------------------------------------------------------------------------------
# Numbers from a formula


def hashed(name, count):
    """uint32 of `count` consecutive indices: lowbias32(fnv1a32(name) + i), all modulo 2^32."""
    seed = 0x811C9DC5
    for byte in name.encode():
        seed = ((seed ^ byte) * 0x01000193) & 0xFFFFFFFF
    x = np.arange(count, dtype=np.uint32) + np.uint32(seed)
    x ^= x >> np.uint32(16)
    x *= np.uint32(0x7FEB352D)
    x ^= x >> np.uint32(15)
    x *= np.uint32(0x846CA68B)
    return x ^ (x >> np.uint32(16))


def make_parameter(name, shape):
    """Named as Hugging Face names it, row-major: 0.04 * (u - 0.5) with u = hash / 2^32; norms 1 + that."""
    values = 0.04 * (hashed(name, int(np.prod(shape))) / 2**32 - 0.5)
    if "norm" in name:
        values = 1 + values
    return torch.from_numpy(values.astype(np.float32)).view(shape)


def make_batch(c, step):
    """Ids [B, T]: floor(V * u^3), a skewed distribution with something to learn; u of `tokens.<step>`, row-major."""
    u = hashed(f"tokens.{step}", c["B"] * c["T"]) / 2**32
    return torch.from_numpy(np.floor(c["V"] * (u * u * u)).astype(np.int64)).view(c["B"], c["T"])


def shift(labels):
    """Position t predicts labels[t + 1]; the last position predicts nothing. Shifting the ids spares a copy of the logits."""
    return F.pad(labels[:, 1:], (0, 1), value=-100)


def parameter_shapes(c):
    """Hugging Face's names and shapes."""
    C, D = c["C"], c["C"] // c["H"]
    shapes = {"model.embed_tokens.weight": (c["V"], C)}
    for i in range(c["L"]):
        layer = f"model.layers.{i}."
        for projection, rows in (("q", c["H"] * D), ("k", c["K"] * D), ("v", c["K"] * D)):
            shapes[f"{layer}self_attn.{projection}_proj.weight"] = (rows, C)
            shapes[f"{layer}self_attn.{projection}_proj.bias"] = (rows,)
        shapes[f"{layer}self_attn.o_proj.weight"] = (C, c["H"] * D)
        shapes[f"{layer}mlp.gate_proj.weight"] = (c["F"], C)
        shapes[f"{layer}mlp.up_proj.weight"] = (c["F"], C)
        shapes[f"{layer}mlp.down_proj.weight"] = (C, c["F"])
        shapes[f"{layer}input_layernorm.weight"] = (C,)
        shapes[f"{layer}post_attention_layernorm.weight"] = (C,)
    shapes["model.norm.weight"] = (C,)
    if not c["tied"]:
        shapes["lm_head.weight"] = (c["V"], C)
    return shapes


# ---------------------------------------------------------------------------------------------------------------------
# The model: q, k and v in one matrix, gate and up in one matrix


class Block(torch.nn.Module):
    def __init__(self, c, get):
        super().__init__()
        self.c = c
        self.norm1 = get("input_layernorm.weight")
        self.qkv = get("self_attn.q_proj.weight", "self_attn.k_proj.weight", "self_attn.v_proj.weight")
        self.qkv_bias = get("self_attn.q_proj.bias", "self_attn.k_proj.bias", "self_attn.v_proj.bias")
        self.o = get("self_attn.o_proj.weight")
        self.norm2 = get("post_attention_layernorm.weight")
        self.gate_up = get("mlp.gate_proj.weight", "mlp.up_proj.weight")
        self.down = get("mlp.down_proj.weight")

    def forward(self, x, cos, sin):
        c = self.c
        B, T, C = x.shape
        H, K, D = c["H"], c["K"], C // c["H"]
        h = F.rms_norm(x, (C,), self.norm1, c["eps"])
        qkv = F.linear(h, self.qkv, self.qkv_bias).view(B, T, H + 2 * K, D)
        qk, v = qkv.split([H + K, K], dim=2)
        first, second = qk.chunk(2, dim=-1)
        qk = qk * cos + torch.cat((-second, first), dim=-1) * sin  # [B, T, H + K, D]
        q, k = qk.split([H, K], dim=2)
        q, k, v = (t.transpose(1, 2) for t in (q, k, v))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=H != K)  # [B, H, T, D]
        x = x + F.linear(y.transpose(1, 2).reshape(B, T, C), self.o)
        h = F.rms_norm(x, (C,), self.norm2, c["eps"])
        gate, up = F.linear(h, self.gate_up).chunk(2, dim=-1)
        return x + F.linear(F.silu(gate) * up, self.down)


class Qwen2(torch.nn.Module):
    def __init__(self, c, tensors):
        super().__init__()
        self.c = c

        def get(prefix):
            return lambda *names: torch.nn.Parameter(torch.cat([tensors[prefix + name] for name in names]).clone())

        self.embed = get("")("model.embed_tokens.weight")
        self.blocks = torch.nn.ModuleList([Block(c, get(f"model.layers.{i}.")) for i in range(c["L"])])
        self.norm = get("")("model.norm.weight")
        self.head = self.embed if c["tied"] else get("")("lm_head.weight")
        D = c["C"] // c["H"]
        frequencies = 1.0 / c["theta"] ** (torch.arange(0, D, 2).float() / D)
        angles = torch.outer(torch.arange(c["T"]).float(), frequencies).repeat(1, 2).unsqueeze(1)  # [T, 1, D]
        self.register_buffer("cos", angles.cos())
        self.register_buffer("sin", angles.sin())

    def forward(self, ids, targets):
        x = F.embedding(ids, self.embed)  # [B, T, C]
        for block in self.blocks:
            x = block(x, self.cos, self.sin)
        x = F.rms_norm(x, (self.c["C"],), self.norm, self.c["eps"])
        logits = F.linear(x, self.head)  # [B, T, V]
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=-100)


class Trainer:
    """Owns the model and the optimizer; `step` is what is timed."""

    def __init__(self, c, tensors):
        self.model = Qwen2(c, tensors)
        self.parameters = list(self.model.parameters())
        groups = [
            {"params": [p for p in self.parameters if p.dim() == 2], "weight_decay": c["decay"]},
            {"params": [p for p in self.parameters if p.dim() == 1], "weight_decay": 0.0},
        ]
        self.optimizer = torch.optim.AdamW(
            groups, lr=c["lr"], betas=c["betas"], eps=c["adam_eps"], **{arguments.optimizer: True}
        )
        self.max_norm = c["max_norm"]
        self.loss = torch.compile(self.model) if arguments.compile else self.model

    def step(self, ids, targets, lr=None):
        if lr is not None:
            for group in self.optimizer.param_groups:
                group["lr"] = lr
        loss = self.loss(ids, targets)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, self.max_norm, foreach=True)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return loss.item(), norm.item()


# ---------------------------------------------------------------------------------------------------------------------
# Modes


def check(folder):
    """The golden model, batch and optimizer: the losses and gradient norms of ten steps must agree with Hugging Face's."""
    with open(os.path.join(folder, "golden.json")) as file:
        golden = json.load(file)
    with open(os.path.join(folder, "config.released.json")) as file:
        f = json.load(file)
    with open(os.path.join(folder, "model.safetensors"), "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        data = file.read()
    header.pop("__metadata__", None)
    tensors = {
        name: torch.frombuffer(bytearray(data[slice(*entry["data_offsets"])]), dtype=torch.float32).view(entry["shape"])
        for name, entry in header.items()
    }
    ids, labels = (torch.tensor(golden["batch"][key]) for key in ("input_ids", "labels"))
    c = SETTINGS | dict(
        V=f["vocab_size"], C=f["hidden_size"], L=f["num_hidden_layers"], H=f["num_attention_heads"],
        K=f["num_key_value_heads"], F=f["intermediate_size"], B=ids.shape[0], T=ids.shape[1],
        eps=f["rms_norm_eps"], theta=f["rope_theta"], tied=f["tie_word_embeddings"],
    )  # fmt: skip
    assert {name: tuple(t.shape) for name, t in tensors.items()} == parameter_shapes(c)
    trainer = Trainer(c, tensors)
    expected = golden["training"]
    worst = 0.0
    for lr, loss, norm in zip(expected["learning_rates"], expected["losses"], expected["grad_norms"]):
        got = trainer.step(ids, shift(labels), lr)
        print(f"loss {got[0]:.7f} expected {loss:.7f}   norm {got[1]:.7f} expected {norm:.7f}")
        worst = max(worst, abs(got[0] - loss) / loss, abs(got[1] - norm) / norm)
    print(f"largest relative difference {worst:.1e}")
    sys.exit(0 if worst < 1e-4 else 1)


def main():
    torch.set_num_threads(arguments.threads)
    torch.set_flush_denormal(True)
    if arguments.check:
        check(arguments.check)
    c = SETTINGS | CONFIGS[arguments.config]
    shapes = parameter_shapes(c)
    trainer = Trainer(c, {name: make_parameter(name, shape) for name, shape in shapes.items()})
    tokens = c["B"] * c["T"]
    done = 0

    def run(count):
        nonlocal done
        seconds, losses, norms = [], [], []
        for _ in range(count):
            ids = make_batch(c, done)
            targets = shift(ids)
            start = time.perf_counter()
            loss, norm = trainer.step(ids, targets)
            seconds.append(time.perf_counter() - start)
            losses.append(loss)
            norms.append(norm)
            done += 1
        return {"steps": count, "seconds": seconds, "loss": losses[-1] if losses else None, "losses": losses,
                "grad_norms": norms}  # fmt: skip

    def answer(value):
        print(json.dumps(value), flush=True)

    about = {
        "contender": "pytorch",
        "version": torch.__version__,
        "mode": "compile" if arguments.compile else "eager",
        "optimizer": arguments.optimizer,
        "allocator": allocator,
        "threads": torch.get_num_threads(),
        "config": arguments.config,
        "parameters": sum(int(np.prod(shape)) for shape in shapes.values()),
        "tokens_per_step": tokens,
    }
    warmup = run(arguments.warmup)
    answer({"ready": True, **about, "warmup": warmup})
    if arguments.steps is not None:
        result = run(arguments.steps)
        median = statistics.median(result["seconds"])
        answer({**result, "median_seconds": median, "tokens_per_second": tokens / median})
        return
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


if __name__ == "__main__":
    main()
