"""The models of the study in PyTorch, the peers of bench/engine and bench/gpu.

The GPT is nanoGPT's (scaled_dot_product_attention, tied head), the LSTM is torch.nn.LSTM. Both can decode with a cache.
"""
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
        mask = None
        if isinstance(position, torch.Tensor):
            # A position on the device: the same shapes for every token, as CUDA graphs need.
            cache[0].index_copy_(2, position, k.to(cache[0].dtype))
            cache[1].index_copy_(2, position, v.to(cache[1].dtype))
            k, v = cache
            mask = (torch.arange(k.shape[2], device=x.device) <= position)[None, None, None, :]
        elif cache is not None:
            end = position + T
            cache[0][:, :, position:end], cache[1][:, :, position:end] = k, v
            k, v = cache[0][:, :, :end], cache[1][:, :, :end]
        p = self.dropout if self.training else 0.0
        q = q.to(k.dtype)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=p, is_causal=cache is None)
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
        places = torch.arange(tokens.shape[1], device=tokens.device) + position
        x = self.drop(self.wte(tokens) + self.wpe(places))
        for i, block in enumerate(self.h):
            x = block(x, None if caches is None else caches[i], position)
        return F.linear(self.ln_f(x), self.wte.weight)

    def new_cache(self, B, dtype):
        """Returns a static cache: arrays for the whole block, which are written in place."""
        T, C = self.wpe.weight.shape
        heads, device = self.h[0].heads, self.wpe.weight.device
        return [[torch.zeros(B, heads, T, C // heads, dtype=dtype, device=device) for _ in "kv"] for _ in self.h]


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

    def new_cache(self, B, dtype):
        return []


def make_model(config):
    return (Gpt if config["architecture"] == "gpt" else Lstm)(config)


def make_optimizer(model):
    """AdamW in one kernel for all parameters; weight decay on matrices only."""
    matrices = [p for p in model.parameters() if p.dim() > 1]
    others = [p for p in model.parameters() if p.dim() <= 1]
    return torch.optim.AdamW(
        [{"params": matrices, "weight_decay": 0.1}, {"params": others, "weight_decay": 0}],
        lr=1e-4, betas=(0.9, 0.95), fused=True,
    )
