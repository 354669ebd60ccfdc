"""PyTorch on the same GPU, for bench/gpu: requests as lines of JSON on stdin, an answer to each as a line on stdout.

    {"kind": "train", "config": …, "batch": 64, "variant": "eager" | "compile", "seconds": 2}
    {"kind": "sample", "config": …, "streams": 8, "tokens": 256, "variant": …, "seconds": 2}
    → {"seconds": [a step, or all tokens of all streams, …], "loss": …, "memory": bytes, "parameters": …} or {"error": …}

Training is in bf16 by autocast with fp32 weights: flash attention (scaled_dot_product_attention), cuDNN's LSTM, fused AdamW,
clipping. A block of steps is timed at a time, and the GPU is waited for at its end, as in bench/gpu/speed.ts. Sampling has a
cache of keys and values in bf16, and takes the likeliest token on the GPU; compiled, each token is one CUDA graph.
Without a GPU it computes on the CPU in fp32, to see that it works.
"""
import contextlib
import json
import os
import sys
import time

sys.path[:0] = [os.path.dirname(os.path.abspath(__file__)), os.path.join(os.path.dirname(os.path.abspath(__file__)), "../engine")]

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from torch_models import make_model, make_optimizer

device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
on_gpu = device.type == "cuda"
torch.backends.cuda.matmul.allow_tf32 = True
torch.backends.cudnn.allow_tf32 = True


def autocast():
    return torch.autocast(device.type, torch.bfloat16, enabled=on_gpu)


def flash():
    """Flash attention alone: it is an error if it cannot be used."""
    return sdpa_kernel(SDPBackend.FLASH_ATTENTION) if on_gpu else contextlib.nullcontext()


def wait():
    if on_gpu:
        torch.cuda.synchronize()


def blocks(work, seconds):
    """Seconds of one unit of work, the mean of each of several blocks. `work(n)` does n units."""
    work(3)
    wait()
    start = time.perf_counter()
    work(2)
    wait()
    each = (time.perf_counter() - start) / 2
    n = max(1, min(200, round(seconds / 10 / each)))
    times, begin = [], time.perf_counter()
    while len(times) < 3 or (len(times) < 40 and time.perf_counter() - begin < seconds):
        start = time.perf_counter()
        work(n)
        wait()
        times.append((time.perf_counter() - start) / n)
    return times


def train(request, model):
    config, B, T = request["config"], request["batch"], request["config"]["block"]
    V = config["vocabularySize"]
    optimizer = make_optimizer(model)
    tokens = torch.arange(B * (T + 1), device=device).mul(31).remainder(V).view(B, T + 1)
    inputs, targets = tokens[:, :-1].contiguous(), tokens[:, 1:].reshape(-1)

    def loss_of():
        with autocast():
            logits = model(inputs)
        return F.cross_entropy(logits.float().view(-1, V), targets)

    run = torch.compile(loss_of) if request["variant"] == "compile" else loss_of
    last = []

    def steps(n):
        for _ in range(n):
            optimizer.zero_grad(set_to_none=True)
            loss = run()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
        last[:] = [loss.detach()]

    with flash():
        times = blocks(steps, request["seconds"])
    return {"seconds": times, "loss": last[0].item()}


@torch.inference_mode()
def sample(request, model):
    B, count = request["streams"], request["tokens"]
    model.eval()
    compiled = request["variant"] == "compile"
    places = [torch.tensor([i], device=device) for i in range(count)] if compiled else range(count)

    def next_of(column, caches, position):
        with autocast():
            return model(column, caches, position)[:, -1].argmax(-1, keepdim=True)

    run = torch.compile(next_of, mode="reduce-overhead" if on_gpu else None) if compiled else next_of
    caches = model.new_cache(B, torch.bfloat16 if on_gpu else torch.float32)

    def streams(n):
        for _ in range(n):
            if request["config"]["architecture"] == "lstm":
                caches.clear()
            column = torch.zeros(B, 1, dtype=torch.long, device=device)
            for position in places:
                column = run(column, caches, position).clone()

    return {"seconds": blocks(streams, request["seconds"])}


def answer(request):
    torch.manual_seed(1)
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
    model = make_model(request["config"]).to(device)
    result = (train if request["kind"] == "train" else sample)(request, model)
    memory = torch.cuda.max_memory_allocated() if on_gpu else 0
    return {**result, "memory": memory, "parameters": sum(p.numel() for p in model.parameters())}


name = torch.cuda.get_device_name() if on_gpu else "CPU"
print(json.dumps({"name": f"PyTorch {torch.__version__}", "device": name}), flush=True)
for line in sys.stdin:
    try:
        reply = answer(json.loads(line))
    except Exception as error:  # a variant that does not work must not end the others
        reply = {"error": f"{type(error).__name__}: {str(error).strip().splitlines()[0][:200] if str(error).strip() else ''}"}
    torch._dynamo.reset()
    if on_gpu:
        torch.cuda.empty_cache()
    print(json.dumps(reply), flush=True)
