"""A plain PyTorch eager loop over the same Llama, weights, rows and options as LlmOps.Benchmarks' `training peer`.

Usage: pretrain.py FOLDER THREADS [cpu|cuda] [Float32|BFloat16|Float16]. Reads FOLDER/{config.json,model.safetensors,steps.jsonl}; then, for each line "N" on standard input, does N optimizer
steps and answers "tokens seconds loss". Written for PyTorch 1.13 and later: where torch has scaled_dot_product_attention it is used, else attention is
written out as libraries of that time did.
"""
import json
import struct
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

folder, threads = sys.argv[1], int(sys.argv[2])
device = sys.argv[3] if len(sys.argv) > 3 else "cpu"
precision = sys.argv[4] if len(sys.argv) > 4 else "Float32"
autocast = {"BFloat16": torch.bfloat16, "Float16": torch.float16}.get(precision)
torch.set_num_threads(threads)
config = json.load(open(folder + "/config.json"))
hidden, heads, kv = config["hidden_size"], config["num_attention_heads"], config["num_key_value_heads"]
size = config.get("head_dim", hidden // heads)
sdpa = getattr(F, "scaled_dot_product_attention", None)


class Norm(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(hidden))

    def forward(self, x):
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + config["rms_norm_eps"]))


def rotate_half(x):
    return torch.cat((-x[..., size // 2:], x[..., : size // 2]), dim=-1)


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.q_proj, self.o_proj = nn.Linear(hidden, heads * size, bias=False), nn.Linear(heads * size, hidden, bias=False)
        self.k_proj, self.v_proj = nn.Linear(hidden, kv * size, bias=False), nn.Linear(hidden, kv * size, bias=False)

    def forward(self, x, cos, sin, mask):
        rows, length, _ = x.shape
        q = self.q_proj(x).view(rows, length, heads, size).transpose(1, 2)
        k = self.k_proj(x).view(rows, length, kv, size).transpose(1, 2)
        v = self.v_proj(x).view(rows, length, kv, size).transpose(1, 2)
        q, k = q * cos + rotate_half(q) * sin, k * cos + rotate_half(k) * sin
        k, v = (t[:, :, None].expand(rows, kv, heads // kv, length, size).reshape(rows, heads, length, size) for t in (k, v))
        if sdpa is not None:
            y = sdpa(q, k, v, attn_mask=mask)
        else:
            y = torch.softmax(q @ k.transpose(2, 3) / size ** 0.5 + mask, dim=-1) @ v
        return self.o_proj(y.transpose(1, 2).reshape(rows, length, heads * size))


class FeedForward(nn.Module):
    def __init__(self):
        super().__init__()
        inner = config["intermediate_size"]
        self.gate_proj, self.up_proj = nn.Linear(hidden, inner, bias=False), nn.Linear(hidden, inner, bias=False)
        self.down_proj = nn.Linear(inner, hidden, bias=False)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.input_layernorm, self.post_attention_layernorm = Norm(), Norm()
        self.self_attn, self.mlp = Attention(), FeedForward()

    def forward(self, x, cos, sin, mask):
        x = x + self.self_attn(self.input_layernorm(x), cos, sin, mask)
        return x + self.mlp(self.post_attention_layernorm(x))


class Llama(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed_tokens = nn.Embedding(config["vocab_size"], hidden)
        self.layers = nn.ModuleList(Layer() for _ in range(config["num_hidden_layers"]))
        self.norm = Norm()
        angles = torch.arange(config["max_position_embeddings"])[:, None] * config["rope_theta"] ** (-torch.arange(0, size, 2) / size)
        angles = torch.cat((angles, angles), dim=-1)
        self.cos, self.sin = angles.cos(), angles.sin()

    def forward(self, ids, positions, mask):
        cos, sin = self.cos[positions][:, None], self.sin[positions][:, None]
        x = self.embed_tokens(ids)
        for layer in self.layers:
            x = layer(x, cos, sin, mask)
        return F.linear(self.norm(x), self.embed_tokens.weight)


def load(model):
    with open(folder + "/model.safetensors", "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        data = file.read()
    for name, parameter in model.named_parameters():
        begin, end = header["model." + name]["data_offsets"]
        with torch.no_grad():
            parameter.copy_(torch.from_numpy(np.frombuffer(data[begin:end], dtype=np.float32).copy()).view(parameter.shape))


def batch(rows, length):
    ids = torch.zeros(len(rows), length, dtype=torch.long)
    positions, document = torch.zeros_like(ids), torch.full_like(ids, -1)
    labels = torch.full_like(ids, -100)
    tokens = 0
    for r, documents in enumerate(rows):
        at = 0
        for number, d in enumerate(documents):
            end = at + len(d)
            ids[r, at:end] = torch.tensor(d)
            positions[r, at:end] = torch.arange(len(d))
            document[r, at:end] = number
            labels[r, at: end - 1] = ids[r, at + 1: end]
            at, tokens = end, tokens + len(d)
    return ids, positions, document, labels, tokens


model = Llama()
load(model)
model.to(device)
model.cos, model.sin = model.cos.to(device), model.sin.to(device)
scaler = torch.amp.GradScaler(device) if precision == "Float16" else None
options = json.load(open(folder + "/options.json"))
length = options["context_length"]
# Batches are built before the clock starts, masks while it runs.
steps = [batch(json.loads(line), length) for line in open(folder + "/steps.jsonl")]
matrices = [p for p in model.parameters() if p.dim() > 1]
vectors = [p for p in model.parameters() if p.dim() == 1]
optimizer = torch.optim.AdamW(
    [{"params": matrices, "weight_decay": options["weight_decay"]}, {"params": vectors, "weight_decay": 0.0}], betas=(options["beta1"], options["beta2"]), eps=1e-8)
causal = torch.ones(length, length, dtype=torch.bool, device=device).tril()
itself = torch.eye(length, dtype=torch.bool, device=device)
at = 0
print(torch.__version__, "sdpa" if sdpa is not None else "attention written out", torch.get_num_threads(), "threads", device, precision, flush=True)
for line in sys.stdin:
    tokens, started = 0, time.perf_counter()
    for _ in range(int(line)):
        *tensors, count = steps[at]
        ids, positions, document, labels = (t.to(device, non_blocking=True) for t in tensors)
        seen = ((document[:, :, None] == document[:, None, :]) & (document >= 0)[:, :, None] & causal) | itself
        mask = torch.zeros(len(ids), 1, length, length, device=device).masked_fill_(~seen[:, None], float("-inf"))
        for group in optimizer.param_groups:
            group["lr"] = options["rates"][at]
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device, dtype=autocast, enabled=autocast is not None):
            logits = model(ids, positions, mask)
        loss = F.cross_entropy(logits.float().view(-1, logits.shape[-1]), labels.view(-1))
        (scaler.scale(loss) if scaler else loss).backward()
        if scaler:
            scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(model.parameters(), options["max_gradient_norm"])
        if scaler:
            scaler.step(optimizer)
            scaler.update()
        else:
            optimizer.step()
        last = loss.item()
        tokens, at = tokens + count, at + 1
    print(tokens, time.perf_counter() - started, last, flush=True)
