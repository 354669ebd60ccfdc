"""One model in PyTorch, for bench/engine/index.ts: a JSON request on stdin, a JSON result on stdout.

Times whole training steps (forward, backward, clip, AdamW), and sampling one token for each stream with a cache.
"""
import json
import resource
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

from torch_models import make_model, make_optimizer

request = json.load(sys.stdin)
config, B, T = request["config"], request["sequences"], request["config"]["block"]
V = config["vocabularySize"]
torch.set_num_threads(request["threads"])
torch.manual_seed(1)
model = make_model(config)
optimizer = make_optimizer(model)
tokens = torch.arange(B * (T + 1)).mul(31).remainder(V).view(B, T + 1)
run = torch.compile(model) if request["compile"] else model
# bf16: autocast, with fp32 master weights, as on GPUs
autocast = torch.autocast("cpu", torch.bfloat16, enabled=request["precision"] == "bf16")
cache_type = torch.bfloat16 if request["precision"] == "bf16" else torch.float32


def step():
    with autocast:
        logits = run(tokens[:, :-1])
        loss = F.cross_entropy(logits.float().view(-1, V), tokens[:, 1:].reshape(-1))
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss.item()


def measure(work, seconds, least):
    work()
    times, start = [], time.perf_counter()
    while time.perf_counter() - start < seconds or len(times) < least:
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        times.append([time.perf_counter() - wall, time.process_time() - cpu])
    return times


steps = measure(step, request["seconds"], 5) if request["train"] else []
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
model.eval()


@torch.inference_mode()
@autocast
def decode():
    caches = model.new_cache(request["streams"], cache_type)
    column = torch.zeros(request["streams"], 1, dtype=torch.long)
    for position in range(request["decode"]):
        column = model(column, caches, position)[:, -1].argmax(-1, keepdim=True)


decodes = measure(decode, request["seconds"] / 4, 2)
json.dump({"name": f"PyTorch {torch.__version__}", "steps": steps, "decodes": decodes, "peak": peak}, sys.stdout)
