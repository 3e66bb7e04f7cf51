"""Puts an adapter that LoRA Playground saved onto the transformers model that it is of.

    pip install torch transformers safetensors
    python load.py @FILE@ MODEL --text some.txt          # bits per token of a text, with and without the adapter
    python load.py @FILE@ MODEL --prompt "Once"          # a text that it writes
    from load import load                                # load(model, "@FILE@") returns the model

MODEL is a folder with the model's config.json and model.safetensors, or a name on the Hugging Face Hub. A model without a
tokenizer of its own reads bytes, each a token. MoLoRA, MoR1E, full fine-tuning, and LoRA or MoLoRA with binary or ternary
weights; PEFT opens what it has a form for by itself.
"""
import argparse, json, math, pathlib
import torch
from torch import nn
from torch.nn import functional as F
from safetensors import safe_open


@METHODS@


class LoRA(nn.Module):
    """y += s x AT BT."""

    def __init__(self, lane, i, o):
        super().__init__()
        r = lane["rank"]
        self.scale = lane["alpha"] / (r ** 0.5 if lane["rslora"] else r)
        self.lora_A, self.lora_B = nn.Parameter(torch.zeros(r, i)), nn.Parameter(torch.zeros(o, r))

    def forward(self, x):
        return self.scale * x @ self.lora_A.T @ self.lora_B.T, None


METHODS = {"full": Full, "lora": LoRA, "molora": MoLoRA, "mor1e": MoR1E}


def few_values(weight, kind):
    """What a layer reads of a matrix trained in full precision: one scale times -1, 1 (binary) or -1, 0, 1 (ternary)."""
    scale = weight.abs().mean()
    if kind == "ternary":
        return scale * (weight / scale).round().clamp(-1, 1)
    return scale * torch.where(weight >= weight.mean(), 1.0, -1.0)


def unpacked(digits, scales, shape, kind):
    """A tensor of few values from its bytes: eight signs or five digits of base 3 in each, the first lowest."""
    base, each = (3, 5) if kind == "ternary" else (2, 8)
    digits = digits.int()[:, None] // base ** torch.arange(each) % base
    values = (digits - 1 if base == 3 else 2 * digits - 1).flatten()[:math.prod(shape)].float().reshape(len(scales), -1)
    return (scales[:, None] * values).reshape(shape)


def adapter(lane, tensors, base):
    """The module that is added to a frozen linear layer. Sizes may be the layer's own: its tensors have them."""
    kind, own = lane.get("weights") or "float", dict(lane)
    if "v" in tensors:
        own.update(experts=len(tensors["v"]), hidden=len(tensors["intuition.w1"]))
    elif "lora_A" in tensors and "lora_A.scales" not in tensors:
        *experts, own["rank"], _ = tensors["lora_A"].shape
        own.update({"experts": experts[0]} if experts else {})
    module = METHODS[lane["method"]](own, base.in_features, base.out_features).requires_grad_(False)
    for name, parameter in module.named_parameters():
        values = tensors[name]
        if name + ".scales" in tensors:
            values = unpacked(values, tensors[name + ".scales"], parameter.shape, kind)
        elif kind != "float" and name in ("lora_A", "lora_B"):
            experts = values if values.dim() == 3 else values[None]
            values = torch.stack([few_values(one.float(), kind) for one in experts]).reshape(parameter.shape)
        parameter.copy_(values)
    return module


class Added(nn.Module):
    """A frozen layer, and what is added to it."""

    def __init__(self, base, adapter):
        super().__init__()
        self.base, self.adapter = base, adapter

    def forward(self, x):
        return self.base(x) + self.adapter(x)[0].to(x.dtype)


def load(model, file):
    """The model with the adapter of that file in its linear layers. Gates read the tokens of one call: for generation, use_cache=False."""
    with safe_open(str(file), "pt") as opened:
        about = opened.metadata() or {}
        if about.get("format") != "lora-playground":
            raise ValueError(f"{file} was not saved by LoRA Playground")
        tensors = {name: opened.get_tensor(name) for name in opened.keys()}
    lane = json.loads(about["config"])["lanes"][0]
    if lane["method"] not in METHODS:
        raise ValueError(f"{file} is of the method {lane['method']}; this script has {', '.join(METHODS)}")
    sites = {name: module for name, module in model.named_modules() if isinstance(module, nn.Linear)}
    left = set(tensors)
    for site, base in sites.items():
        own = {name.removeprefix(site + "."): values for name, values in tensors.items() if name.startswith(site + ".")}
        if not own:
            continue
        left -= {f"{site}.{name}" for name in own}
        inside, name = site.rsplit(".", 1)
        with torch.no_grad():
            setattr(model.get_submodule(inside), name, Added(base, adapter(lane, own, base)))
    if left:
        raise ValueError(f"the model has no layer for {sorted(left)[0]}")
    return model


def tokens(folder):
    """How a model's folder reads and writes text; bytes, where it has no tokenizer."""
    if (pathlib.Path(folder) / "config.json").exists() and not (pathlib.Path(folder) / "tokenizer.json").exists():
        return lambda text: list(text.encode()), lambda ids: bytes(ids).decode(errors="replace"), 0
    from transformers import AutoTokenizer
    own = AutoTokenizer.from_pretrained(folder)
    begin = own.bos_token_id if own.bos_token_id is not None else 0
    return lambda text: own.encode(text, add_special_tokens=False), own.decode, begin


@torch.no_grad()
def bits(model, ids, begin, sequence=64):
    """Bits per token of whole passages, each read from its beginning, as the page measures them."""
    y = torch.tensor(ids[:len(ids) // sequence * sequence]).reshape(-1, sequence)
    x = torch.cat([torch.full((len(y), 1), begin), y[:, :-1]], 1)
    nats = [F.cross_entropy(model(a, use_cache=False).logits.flatten(0, 1).float(), b.flatten()) * len(a) for a, b in zip(x.split(32), y.split(32))]
    return (sum(nats) / len(y)).item() / math.log(2)


@torch.no_grad()
def write(model, ids, begin, count=64):
    ids = torch.tensor([[begin, *ids]])
    for _ in range(count):
        logits = model(ids, use_cache=False).logits[0, -1]
        ids = torch.cat([ids, logits.softmax(-1).multinomial(1)[None]], 1)
    return ids[0, 1:].tolist()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("file")
    parser.add_argument("model")
    parser.add_argument("--text", help="a file whose bits per token are measured")
    parser.add_argument("--prompt", help="a text that is continued")
    arguments = parser.parse_args()
    from transformers import AutoModelForCausalLM
    model = AutoModelForCausalLM.from_pretrained(arguments.model, dtype=torch.float32).eval()
    encode, decode, begin = tokens(arguments.model)
    if arguments.text:
        ids = encode(pathlib.Path(arguments.text).read_text())
        alone = bits(model, ids, begin)
        print(json.dumps({"base": alone, "adapted": bits(load(model, arguments.file), ids, begin)}))
    if arguments.prompt is not None:
        model = model if arguments.text else load(model, arguments.file)
        print(decode(write(model, encode(arguments.prompt), begin)))
