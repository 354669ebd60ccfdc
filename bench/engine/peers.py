"""One model in PyTorch, for bench/engine/index.ts: a JSON request on stdin, a JSON result on stdout.

The GPT is nanoGPT's (scaled_dot_product_attention, tied head, AdamW), the LSTM is torch.nn.LSTM. Times whole training steps
(forward, backward, clip, AdamW), and sampling one token for each stream with a cache.
"""
import json
import math
import resource
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F


class Block(nn.Module):
    def __init__(self, C, heads, dropout):
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.ln_1, self.ln_2 = nn.LayerNorm(C), nn.LayerNorm(C)
        self.c_attn, self.attn_proj = nn.Linear(C, 3 * C), nn.Linear(C, C)
        self.c_fc, self.c_proj = nn.Linear(C, 4 * C), nn.Linear(4 * C, C)
        self.drop = nn.Dropout(dropout)

    def forward(self, x, cache=None, position=0):
        B, T, C = x.shape
        q, k, v = (
            y.view(B, T, self.heads, C // self.heads).transpose(1, 2) for y in self.c_attn(self.ln_1(x)).split(C, dim=2)
        )
        if cache is not None:
            end = position + T
            cache[0][:, :, position:end], cache[1][:, :, position:end] = k, v
            k, v = cache[0][:, :, :end], cache[1][:, :, :end]
        p = self.dropout if self.training else 0.0
        y = F.scaled_dot_product_attention(q, k, v, dropout_p=p, is_causal=cache is None)
        x = x + self.drop(self.attn_proj(y.transpose(1, 2).reshape(B, T, C)))
        return x + self.drop(self.c_proj(F.gelu(self.c_fc(self.ln_2(x)), approximate="tanh")))


class Gpt(nn.Module):
    def __init__(self, c):
        super().__init__()
        C, V = c["width"], c["vocabularySize"]
        self.wte, self.wpe = nn.Embedding(V, C), nn.Embedding(c["block"], C)
        self.drop = nn.Dropout(c["dropout"])
        self.h = nn.ModuleList(Block(C, c["heads"], c["dropout"]) for _ in range(c["layers"]))
        self.ln_f = nn.LayerNorm(C)
        for p in self.parameters():
            if p.dim() > 1:
                nn.init.normal_(p, std=0.02)

    def forward(self, tokens, caches=None, position=0):
        x = self.wte(tokens) + self.wpe(torch.arange(position, position + tokens.shape[1]))
        x = self.drop(x)
        for i, block in enumerate(self.h):
            x = block(x, None if caches is None else caches[i], position)
        return F.linear(self.ln_f(x), self.wte.weight)

    def new_cache(self, B):
        """Returns a static cache: arrays for the whole block, which are written in place."""
        T, C = self.wpe.weight.shape
        heads = self.h[0].heads
        return [[torch.zeros(B, heads, T, C // heads, dtype=cache_type) for _ in "kv"] for _ in self.h]


class Lstm(nn.Module):
    def __init__(self, c):
        super().__init__()
        E, H, V = c["embedding"], c["width"], c["vocabularySize"]
        self.encoder = nn.Embedding(V, E)
        self.rnn = nn.LSTM(E, H, c["layers"], dropout=c["dropout"] if c["layers"] > 1 else 0, batch_first=True)
        self.decoder = nn.Linear(H, V)
        if E == H:
            self.decoder.weight = self.encoder.weight
        self.drop = nn.Dropout(c["dropout"])

    def forward(self, tokens, caches=None, position=0):
        state = caches[0] if caches else None
        x, state = self.rnn(self.drop(self.encoder(tokens)), state)
        if caches is not None:
            caches[:] = [state]
        return self.decoder(self.drop(x))

    def new_cache(self, B):
        return []


request = json.load(sys.stdin)
config, B, T = request["config"], request["sequences"], request["config"]["block"]
V = config["vocabularySize"]
torch.set_num_threads(request["threads"])
torch.manual_seed(1)
model = (Gpt if config["architecture"] == "gpt" else Lstm)(config)
matrices = [p for p in model.parameters() if p.dim() > 1]
others = [p for p in model.parameters() if p.dim() <= 1]
optimizer = torch.optim.AdamW(
    [{"params": matrices, "weight_decay": 0.1}, {"params": others, "weight_decay": 0}],
    lr=1e-4, betas=(0.9, 0.95), fused=True,
)
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
    caches = model.new_cache(request["streams"])
    column = torch.zeros(request["streams"], 1, dtype=torch.long)
    for position in range(request["decode"]):
        column = model(column, caches, position)[:, -1].argmax(-1, keepdim=True)


decodes = measure(decode, request["seconds"] / 4, 2)
json.dump({"name": f"PyTorch {torch.__version__}", "steps": steps, "decodes": decodes, "peak": peak}, sys.stdout)
