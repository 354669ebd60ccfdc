"""The PyTorch side of bench/engine/interop.ts, curves.ts and rounding.ts: the same models in PyTorch and transformers.

    python interop.py logits|make|gradients|train        a JSON request on stdin, a JSON result on stdout

A GPT is transformers' GPT2LMHeadModel, or GPTNeoXForCausalLM if its positions are rotary. An LSTM is torch.nn.LSTM between nn.Embedding and nn.Linear.
Checkpoints are folders with config.json and model.safetensors. Needs torch, transformers, safetensors and numpy.
"""
import json
import math
import sys
from pathlib import Path

import numpy
import torch
import transformers
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional as F


class Lstm(nn.Module):
    """nn.LSTM between an embedding and a head. The head is the embedding's matrix if their widths are equal."""

    def __init__(self, vocab_size, n_embd, hidden_size, n_layer):
        super().__init__()
        self.encoder = nn.Embedding(vocab_size, n_embd)
        self.rnn = nn.LSTM(n_embd, hidden_size, n_layer, batch_first=True)
        self.decoder = nn.Linear(hidden_size, vocab_size)
        if n_embd == hidden_size:
            self.decoder.weight = self.encoder.weight

    def forward(self, tokens):
        return self.decoder(self.rnn(self.encoder(tokens))[0])

    def carry(self, tokens, state):
        """Returns the logits from a state (None: zeros), and the detached state at the end."""
        hidden, state = self.rnn(self.encoder(tokens), state)
        return self.decoder(hidden), tuple(part.detach() for part in state)


# constructors of the models that transformers does not have, by model_type
OURS = {
    "lstm": lambda config: Lstm(*(config[key] for key in ("vocab_size", "n_embd", "hidden_size", "n_layer"))),
}


# transformers' models, by model_type
GPT = {"gpt2": transformers.GPT2LMHeadModel, "gpt_neox": transformers.GPTNeoXForCausalLM}


def load(folder):
    """Loads the checkpoint as a module. Every tensor must be used, and only a GPT's biases may be missing."""
    config = json.loads((Path(folder) / "config.json").read_text())
    if config["model_type"] in OURS:
        model = OURS[config["model_type"]](config)
        missing, unexpected = model.load_state_dict(load_file(Path(folder) / "model.safetensors"), strict=False)
        tied = model.decoder.weight is model.encoder.weight
        missing = [name for name in missing if not (tied and name == "decoder.weight")]
    else:
        model, info = GPT[config["model_type"]].from_pretrained(
            folder, output_loading_info=True, attn_implementation="eager"
        )
        missing, unexpected = info["missing_keys"], info["unexpected_keys"]
        if not config["bias"]:
            missing = [name for name in missing if not name.endswith(".bias")]
            for name, p in model.named_parameters():  # transformers sets missing biases to 0
                p.requires_grad_(not name.endswith(".bias"))
    assert not missing and not unexpected, f"missing {missing}, unexpected {unexpected}"
    return model


def logits_of(model, tokens):
    out = model(tokens)
    return out if isinstance(out, torch.Tensor) else out.logits


def tokens_of(request):
    return torch.tensor(request["tokens"]).view(request["sequences"], -1)


def write_logits(model, request):
    """Writes logits (B,T,V) as float32 to request["out"], without dropout."""
    model.eval()
    with torch.no_grad():
        logits_of(model, tokens_of(request)).contiguous().numpy().astype(numpy.float32).tofile(request["out"])


def logits(request):
    write_logits(load(request["folder"]), request)


def make(request):
    """Saves a checkpoint with weights initialized by PyTorch, and writes its logits."""
    torch.manual_seed(1)
    config, folder = request["config"], Path(request["folder"])
    if config["model_type"] in OURS:
        model = OURS[config["model_type"]](config)
        state = {k: v for k, v in model.state_dict().items() if k != "decoder.weight" or "decoder.weight" in request["names"]}
        folder.mkdir(parents=True, exist_ok=True)
        save_file(state, folder / "model.safetensors")
        (folder / "config.json").write_text(json.dumps(config))
    else:
        model = GPT[config["model_type"]](transformers.AutoConfig.for_model(**config))
        with torch.no_grad():
            for name, p in model.named_parameters():  # transformers initializes biases to 0 and gains to 1
                p += 0.1 * torch.randn_like(p)
        model.save_pretrained(folder)
    write_logits(model, request)


def gradients(request):
    """Writes the gradients of the mean loss to request["out"] as float32, in the order of request["names"].

    With precision bf16, the forward pass runs under autocast.
    """
    model = load(request["folder"])
    model.eval()
    tokens = tokens_of(request)
    with torch.autocast("cpu", torch.bfloat16, enabled=request["precision"] == "bf16"):
        out = logits_of(model, tokens[:, :-1])
    F.cross_entropy(out.float().reshape(-1, out.shape[-1]), tokens[:, 1:].reshape(-1)).backward()
    named = dict(model.named_parameters())
    flat = torch.cat([named[name].grad.reshape(-1) for name in request["names"]])
    flat.numpy().astype(numpy.float32).tofile(request["out"])


def train(request):
    """Trains on the batches of the request with torch.optim.AdamW and clip_grad_norm_. Returns the loss of each step."""
    model, s = load(request["folder"]), request["settings"]
    model.eval()  # no dropout
    trained = [p for p in model.parameters() if p.requires_grad]
    matrices = [p for p in trained if p.dim() > 1]
    others = [p for p in trained if p.dim() <= 1]
    groups = [{"params": matrices, "weight_decay": s["weightDecay"]}, {"params": others, "weight_decay": 0}]
    optimizer = torch.optim.AdamW(groups, lr=s["peak"], betas=s["betas"])
    warmup, steps, floor = s["warmup"], s["steps"], s["floor"]

    def rate(step):
        if step < warmup:
            return (step + 1) / (warmup + 1)
        return floor + (1 - floor) * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup))) / 2

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
    windows = numpy.fromfile(request["windows"], dtype=numpy.uint32).astype(numpy.int64)
    windows = torch.from_numpy(windows).view(steps, -1, s["length"] + 1)
    losses, state = [], None
    for batch in windows:
        if s["state"] == "carried":
            out, state = model.carry(batch[:, :-1], state)
        else:
            out = logits_of(model, batch[:, :-1])
        loss = F.cross_entropy(out.reshape(-1, out.shape[-1]), batch[:, 1:].reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(trained, s["clip"])
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    return losses


transformers.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()
request = json.load(sys.stdin)
torch.set_num_threads(request["threads"])
result = {"logits": logits, "make": make, "gradients": gradients, "train": train}[sys.argv[1]](request)
versions = f"PyTorch {torch.__version__}, transformers {transformers.__version__}"
json.dump({"versions": versions, "losses": result}, sys.stdout)
