"""The adapter of a LoRA Playground configuration, trained with PyTorch, PEFT and Accelerate.

    pip install torch peft accelerate safetensors
    python train.py                      # one process
    accelerate launch train.py           # any number of machines
    python train.py --test               # tests of the modules below

`start.safetensors` beside this file holds data, base network and initial values, so that the loss follows the page's;
replace `load` for your own. A language model's base is transformers': its config.json and model.safetensors in `base/` beside
this file. LoRA is PEFT's; MoLoRA, MoR1E and full fine-tuning are the modules below.
"""
import argparse, json, math, pathlib
import torch
from torch import nn
from torch.nn import functional as F
from safetensors import safe_open
from safetensors.torch import save_file

CONFIG = json.loads(r"""
@CONFIG@
""")
LANE = CONFIG["lanes"][0]


@METHODS@


class Net(nn.Module):
    """The frozen network: linear layers, some followed by GELU."""

    def __init__(self, layers):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(l["inputs"], l["outputs"]) for l in layers)
        self.gelu = [l["gelu"] for l in layers]

    def forward(self, x):
        for layer, gelu in zip(self.layers, self.gelu):
            x = layer(x)
            x = F.gelu(x, approximate="tanh") if gelu else x
        return x


def load():
    """Data `x [batches, sequences, tokens, in]`, targets, description of the network, and all tensors."""
    with safe_open(str(pathlib.Path(__file__).with_name("start.safetensors")), "pt") as file:
        about = json.loads(file.metadata()["about"])
        tensors = {name: file.get_tensor(name).to(torch.get_default_dtype()) for name in file.keys()}
    return tensors["x"], tensors["y"], about, tensors


class Text(nn.Module):
    """A language model; tokens come as rows of one number."""

    def __init__(self):
        super().__init__()
        from transformers import AutoModelForCausalLM
        base = pathlib.Path(__file__).with_name("base")
        self.lm = AutoModelForCausalLM.from_pretrained(base, dtype=torch.get_default_dtype())

    def forward(self, x):
        return self.lm(x[..., 0].long(), use_cache=False).logits


def build_text(about, tensors):
    net = Text().requires_grad_(False)
    if LANE["method"] == "lora":
        from peft import LoraConfig, get_peft_model
        config = LoraConfig(r=LANE["rank"], lora_alpha=LANE["alpha"], use_rslora=LANE["rslora"],
                            target_modules=["lm." + site for site in about["adapted"]])
        model = get_peft_model(net, config)
        place = {f"base_model.model.lm.{site}.{part}.default.weight": f"{site}.{part}"
                 for site in about["adapted"] for part in ("lora_A", "lora_B")}
    else:
        for site in about["adapted"]:
            inside, name = site.rsplit(".", 1)
            block = net.lm.get_submodule(inside)
            setattr(block, name, Adapted(LANE, getattr(block, name)))
        model = net
        place = {name: name.removeprefix("lm.").replace(".adapter.", ".") for name, p in net.named_parameters() if p.requires_grad}
    return model, place


def start(model, place, tensors):
    with torch.no_grad():
        for name, p in model.named_parameters():
            if p.requires_grad:
                p.copy_(tensors[place[name]])
    return model


def build(about, tensors):
    if about["adapted"] is not None:
        return start(*build_text(about, tensors), tensors)
    net = Net(about["layers"])
    for l, layer in enumerate(net.layers):
        layer.weight.data, layer.bias.data = tensors[f"layers.{l}.base.weight"], tensors[f"layers.{l}.base.bias"]
    net.requires_grad_(False)
    chosen = LANE.get("layers")
    chosen = range(len(net.layers)) if chosen is None else chosen
    if LANE["method"] == "lora":
        from peft import LoraConfig, get_peft_model
        config = LoraConfig(r=LANE["rank"], lora_alpha=LANE["alpha"], use_rslora=LANE["rslora"],
                            target_modules=[f"layers.{l}" for l in chosen])
        model = get_peft_model(net, config)
        place = {f"base_model.model.layers.{l}.{part}.default.weight": f"layers.{l}.{part}"
                 for l in chosen for part in ("lora_A", "lora_B")}
    else:
        for l in chosen:
            net.layers[l] = Adapted(LANE, net.layers[l])
        model = net
        place = {name: name.replace(".adapter.", ".") for name, p in net.named_parameters() if p.requires_grad}
    return start(model, place, tensors)


def rate(t):
    """Linear warmup from 0, then linear decay to 0."""
    warmup, total = CONFIG["schedule"]["warmup"], CONFIG["schedule"]["total"]
    return (LANE.get("lr") or CONFIG["optimizer"]["lr"]) * (t / warmup if t < warmup else max(total - t, 0) / max(total - warmup, 1))


def train(steps):
    from accelerate import Accelerator
    accelerator = Accelerator()
    x, y, about, tensors = load()
    model = build(about, tensors)
    o = CONFIG["optimizer"]
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=o["lr"], betas=(o["beta1"], o["beta2"]), eps=o["eps"], weight_decay=o["weight_decay"])
    model, optimizer = accelerator.prepare(model, optimizer)
    x, y = x.to(accelerator.device), y.to(accelerator.device)
    me, all_of_us = accelerator.process_index, accelerator.num_processes
    losses = []
    for t in range(steps):
        batch, target = x[t % len(x)][me::all_of_us], y[t % len(x)][me::all_of_us]
        # Processes are averaged; those with more sequences count for more.
        share = len(batch) * all_of_us / x.shape[1]
        out = model(batch)
        if about["loss"] == "mse":
            loss = F.mse_loss(out, target)
        else:
            loss = F.cross_entropy(out.flatten(0, 1), target.flatten().long())
        optimizer.param_groups[0]["lr"] = rate(t)
        optimizer.zero_grad()
        adapters = [m for m in model.modules() if isinstance(m, Adapted)]
        accelerator.backward(share * (loss + sum(a.balance for a in adapters)))
        optimizer.step()
        losses.append(accelerator.reduce(share * loss.detach(), "mean").item())
        if accelerator.is_main_process and (t % 100 == 0 or t == steps - 1):
            print(f"step {t} loss {losses[-1]:.6f}")
    if accelerator.is_main_process:
        done = accelerator.unwrap_model(model)
        if LANE["method"] == "lora":
            done.save_pretrained("adapter")
        else:
            named = {n.removeprefix("lm.").replace(".adapter.", "."): p for n, p in done.named_parameters() if p.requires_grad}
            save_file({n: p.detach().cpu().contiguous() for n, p in named.items()}, "adapter.safetensors")
    return losses


def test():
    """Identities that hold for any values."""
    torch.manual_seed(0)
    x, i, o = torch.randn(3, 5, 8), 8, 6
    lane = {"experts": 4, "rank": 2, "alpha": 4, "top_k": 0, "renormalize": False, "gate": "pooled"}
    for kind in (MoLoRA, MoR1E, Full):
        assert kind(lane, i, o)(x)[0].abs().max() == 0, "an untrained adapter changes nothing"
    m = MoLoRA(lane, i, o)
    nn.init.normal_(m.lora_B)
    nn.init.zeros_(m.router)
    one = 2 / 4 * x @ m.lora_A.reshape(8, i).T @ m.lora_B.permute(1, 0, 2).reshape(o, 8).T
    assert torch.allclose(m(x)[0], one, atol=1e-5), "with a constant gate, N experts are one LoRA of rank N R"
    nn.init.normal_(m.router)
    m.top_k = 2
    assert ((m.gate(x) > 0).sum(-1) == 2).all() and (m.gate(x).sum(-1) < 1).all()
    m.renormalize = True
    assert torch.allclose(m.gate(x).sum(-1), torch.ones(3, 5))
    e = MoR1E(lane, i, o)
    nn.init.normal_(e.u)
    y, g = e(x)
    assert (g[:, :1] == g).all() and torch.allclose(g.sum(-1), torch.ones(3, 5)), "pooled: one gate per sequence"
    weight = 4 * torch.einsum("n,no,ni->oi", g[1, 0], e.u, e.v)
    assert torch.allclose(y[1], x[1] @ weight.T, atol=1e-5), "sum of g u vT is U diag(g) VT"
    even = torch.full((2, 3, 4), 0.25)
    assert abs(balance("entropy", even) + math.log(4)) < 1e-6 and abs(balance("switch", even) - 1) < 1e-6
    print("all identities hold")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=CONFIG["schedule"]["total"])
    parser.add_argument("--losses", help="write the loss before each step to this file, as JSON")
    parser.add_argument("--test", action="store_true")
    parser.add_argument("--double", action="store_true", help="compute in float64: top-k's ties fall as the page's do")
    arguments = parser.parse_args()
    if arguments.double:
        torch.set_default_dtype(torch.float64)
    if arguments.test:
        test()
    else:
        curve = train(arguments.steps)
        if arguments.losses:
            pathlib.Path(arguments.losses).write_text(json.dumps(curve))
