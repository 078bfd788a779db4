"""
Greedy generation with Hugging Face transformers as a contender of bench/generation.ts: the twin of bench/generator.ts.

    python bench/generation.py --config JSON --width 0.4 --batch 8 --prompt 64 --new 64 --warmup 2
    run 3       -> {"seconds": [one per generation], "prefill_seconds": [...], "tokens": the last generation's new ones}

Variants: `eager`, with a cache that grows; `static`, with a cache of fixed size; `compile`, that with torch.compile, as
transformers does it on a GPU. Joined by + with an allocator, e.g. `eager+tcmalloc`. Weights: bench/common.py. Prefill is
a generation of one token.
"""

import argparse
import json
import os
import time

from common import ALLOCATORS, make_parameter, make_tokens, restart_with, serve

parser = argparse.ArgumentParser(allow_abbrev=False)
parser.add_argument("--config", type=json.loads, required=True)
for option in ("batch", "prompt", "new", "warmup"):
    parser.add_argument(f"--{option}", type=int, required=True)
parser.add_argument("--width", type=float, required=True, help="of the weights' distribution")
parser.add_argument("--variant", default="eager")
parser.add_argument("--threads", type=int, default=os.cpu_count())
arguments = parser.parse_args()
mode, allocator = (arguments.variant + "+jemalloc").split("+")[:2]
if mode not in ("eager", "static", "compile") or allocator not in ALLOCATORS:
    parser.error(f"--variant {arguments.variant}: expected eager, static or compile, and + {', '.join(ALLOCATORS)}")
in_force = restart_with(arguments.threads, allocator)

import torch  # noqa: E402
import transformers  # noqa: E402


def make_model(c):
    config = transformers.Qwen2Config(
        vocab_size=c["V"],
        hidden_size=c["C"],
        intermediate_size=c["F"],
        num_hidden_layers=c["L"],
        num_attention_heads=c["H"],
        num_key_value_heads=c["K"],
        max_position_embeddings=c["T"],
        rms_norm_eps=c["eps"],
        rope_parameters={"rope_type": "default", "rope_theta": c["theta"]},
        tie_word_embeddings=c["tied"],
        attn_implementation="sdpa",
    )
    model = transformers.Qwen2ForCausalLM(config).eval()
    for name, parameter in model.named_parameters():
        parameter.data = make_parameter(name, parameter.shape, arguments.width)
    model.tie_weights()
    options = model.generation_config
    options.do_sample, options.use_cache, options.pad_token_id = False, True, 0
    options.bos_token_id = options.eos_token_id = None
    if mode != "eager":
        options.cache_implementation = "static"
        options.disable_compile = mode == "static"
    if mode == "compile":
        options.compile_config = transformers.CompileConfig(mode="default")
        options.compile_config._compile_all_devices = True
    return model


@torch.inference_mode()
def main():
    transformers.logging.set_verbosity_error()
    torch.set_num_threads(arguments.threads)
    torch.set_flush_denormal(True)
    c = arguments.config
    model = make_model(c)
    prompts = torch.stack(
        [make_tokens(f"prompt.{b}", (arguments.prompt,), c["V"]) for b in range(arguments.batch)]
    )  # [B, P]
    mask = torch.ones_like(prompts)

    def generate(count):
        """New tokens [B, count] and the seconds that they took."""
        start = time.perf_counter()
        out = model.generate(prompts, attention_mask=mask, min_new_tokens=count, max_new_tokens=count)
        tokens = out[:, arguments.prompt :].tolist()
        return tokens, time.perf_counter() - start

    def run(count):
        seconds, prefill_seconds, tokens = [], [], []
        for _ in range(count):
            prefill_seconds.append(generate(1)[1])
            tokens, whole = generate(arguments.new)
            seconds.append(whole)
        return {"seconds": seconds, "prefill_seconds": prefill_seconds, "tokens": tokens}

    about = {
        "contender": "transformers",
        "version": f"{transformers.__version__}, torch {torch.__version__}",
        "mode": mode,
        "allocator": in_force["allocator"],
        "threads": torch.get_num_threads(),
    }
    serve({**about, "warmup": run(arguments.warmup)}, run)


if __name__ == "__main__":
    main()
