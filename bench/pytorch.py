"""
The opponent: a full training step (forward, backward, clipping, AdamW) of a compact Qwen2 in PyTorch, tuned for a CPU.

Needs only torch (`bench/requirements.txt`). The model is checked against Hugging Face's numbers with
    python bench/pytorch.py --check test/fixtures/qwen2/tied
and serves bench/step.ts (the protocol: bench/common.py), which gives it the model and the batch:
    python bench/pytorch.py --config '{"V": 2048, "C": 128, "L": 4, "H": 4, "K": 2, "F": 352, "B": 8, "T": 128}'
    run 20      -> {"steps": 20, "seconds": [one per step], "losses": [...], "grad_norms": [...]}
    quit

`--variant` names what differs from the defaults, joined by +, e.g. `eager+tcmalloc`; `npm run bench -- --pytorch` takes
several and reports the best. Other things tried before, without gain: hand-written autograd for RMSNorm, RoPE and
SwiGLU, F.linear_cross_entropy (slower), huge pages, telling MKL that the processor is Intel's. Measure on a quiet
machine only: when another process takes a core, OpenMP's spinning barriers slow this process down by up to forty times,
and OMP_WAIT_POLICY=passive, which avoids that, costs a third of the speed when quiet.

Shapes: B sequences, T positions, C hidden, H query heads, K key/value heads, D = C / H, F intermediate, V vocabulary.
"""

import argparse
import json
import os
import sys
import time

from common import ALLOCATORS, make_parameter, make_tokens, restart_with, serve

SETTINGS = dict(eps=1e-6, theta=1e6, tied=True, lr=1e-3, betas=(0.9, 0.95), adam_eps=1e-8, decay=0.1, max_norm=1.0)

# The first of each is the default.
CHOICES = {
    "mode": ["eager", "compile", "autotune"],  # torch.compile, its default mode and max-autotune
    "optimizer": ["fused", "foreach"],
    "attention": ["grouped", "repeated"],  # SDPA with enable_gqa, or with keys and values repeated
    "allocator": list(ALLOCATORS),
    "openmp": ["gomp", "iomp"],  # the wheel's, or Intel's (pip install intel-openmp)
    "binding": ["free", "bound"],
}


def variant(text):
    chosen = {key: values[0] for key, values in CHOICES.items()}
    for word in text.split("+"):
        keys = [key for key, values in CHOICES.items() if word in values]
        if not keys:
            words = ", ".join(word for values in CHOICES.values() for word in values)
            raise argparse.ArgumentTypeError(f"'{word}' is unknown; expected some of {words}, joined by +")
        chosen[keys[0]] = word
    return chosen


parser = argparse.ArgumentParser(allow_abbrev=False)
what = parser.add_mutually_exclusive_group(required=True)
what.add_argument("--config", type=json.loads, help="the shapes as JSON, by the letters of this file's legend")
what.add_argument("--check", metavar="FOLDER", help="compare with a golden.json of test/fixtures/qwen2 and leave")
parser.add_argument("--variant", type=variant, default="eager")
parser.add_argument("--warmup", type=int, default=5, help="steps before the first answer; they are training steps")
parser.add_argument("--threads", type=int, default=os.cpu_count())
arguments = parser.parse_args()
chosen = arguments.variant
chosen |= restart_with(arguments.threads, chosen["allocator"], chosen["openmp"], chosen["binding"])

import torch  # noqa: E402  (after the restart: importing torch takes seconds)
import torch.nn.functional as F  # noqa: E402


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
        if chosen["attention"] == "repeated":
            k, v = (t.repeat_interleave(H // K, dim=1) for t in (k, v))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=k.shape[1] != H)  # [B, H, T, D]
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
            groups, lr=c["lr"], betas=c["betas"], eps=c["adam_eps"], **{chosen["optimizer"]: True}
        )
        self.max_norm = c["max_norm"]
        if chosen["mode"] == "eager":
            self.loss = self.model
        else:
            mode = "max-autotune" if chosen["mode"] == "autotune" else None
            self.loss = torch.compile(self.model, mode=mode, dynamic=False)

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
    c = SETTINGS | arguments.config
    shapes = parameter_shapes(c)
    trainer = Trainer(c, {name: make_parameter(name, shape) for name, shape in shapes.items()})
    done = 0

    def run(count):
        nonlocal done
        seconds, losses, norms = [], [], []
        for _ in range(count):
            ids = make_tokens(f"tokens.{done}", (c["B"], c["T"]), c["V"])
            targets = shift(ids)
            start = time.perf_counter()
            loss, norm = trainer.step(ids, targets)
            seconds.append(time.perf_counter() - start)
            losses.append(loss)
            norms.append(norm)
            done += 1
        return {"steps": count, "seconds": seconds, "losses": losses, "grad_norms": norms}

    about = {
        "contender": "pytorch",
        "version": torch.__version__,
        **chosen,
        "threads": torch.get_num_threads(),
        "parameters": sum(tensor.numel() for tensor in trainer.parameters),
        "tokens_per_step": c["B"] * c["T"],
    }
    serve({**about, "warmup": run(arguments.warmup)}, run)


if __name__ == "__main__":
    main()
