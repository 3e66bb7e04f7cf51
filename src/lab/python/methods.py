class Full(nn.Module):
    """y += x deltaT."""

    def __init__(self, lane, i, o):
        super().__init__()
        self.delta = nn.Parameter(torch.zeros(o, i))

    def forward(self, x):
        return x @ self.delta.T, None


class MoLoRA(nn.Module):
    """N LoRA experts weighted per token by softmax(router x); top-k keeps the k largest gates."""

    def __init__(self, lane, i, o):
        super().__init__()
        n, r = lane["experts"], lane["rank"]
        self.scale, self.top_k, self.renormalize = lane["alpha"] / r, lane["top_k"], lane["renormalize"]
        self.lora_A = nn.Parameter(torch.empty(n, r, i).uniform_(-(i ** -0.5), i ** -0.5))
        self.lora_B = nn.Parameter(torch.zeros(n, o, r))
        self.router = nn.Parameter(0.02 * torch.randn(n, i))

    def gate(self, x):
        g = torch.softmax(x @ self.router.T, -1)
        if self.top_k:
            keep = torch.zeros_like(g).scatter_(-1, g.topk(self.top_k, -1).indices, 1.0)
            g = g * keep
            if self.renormalize:
                g = g / g.sum(-1, keepdim=True)
        return g

    def forward(self, x):
        g = self.gate(x)
        h = torch.einsum("bsi,nri->bsnr", x, self.lora_A)
        return self.scale * torch.einsum("bsn,bsnr,nor->bso", g, h, self.lora_B), g


class Intuition(nn.Module):
    """Linear, GELU, LayerNorm, Linear: the first part of MoR1E's gate."""

    def __init__(self, i, h):
        super().__init__()
        self.w1 = nn.Parameter(torch.empty(h, i).uniform_(-(i ** -0.5), i ** -0.5))
        self.b1 = nn.Parameter(torch.empty(h).uniform_(-(i ** -0.5), i ** -0.5))
        self.ln_weight, self.ln_bias = nn.Parameter(torch.ones(h)), nn.Parameter(torch.zeros(h))
        self.w2 = nn.Parameter(torch.empty(h, h).uniform_(-(h ** -0.5), h ** -0.5))
        self.b2 = nn.Parameter(torch.empty(h).uniform_(-(h ** -0.5), h ** -0.5))

    def forward(self, q):
        q = F.gelu(F.linear(q, self.w1, self.b1), approximate="tanh")
        q = F.layer_norm(q, q.shape[-1:], self.ln_weight, self.ln_bias, 1e-5)
        return F.linear(q, self.w2, self.b2)


class Gate(nn.Module):
    def __init__(self, h, n):
        super().__init__()
        self.w = nn.Parameter(torch.empty(n, h).uniform_(-(h ** -0.5), h ** -0.5))
        self.b = nn.Parameter(torch.empty(n).uniform_(-(h ** -0.5), h ** -0.5))

    def forward(self, q):
        return torch.softmax(F.linear(q, self.w, self.b), -1)


class MoR1E(nn.Module):
    """Rank-1 experts, weighted by a small network that sees a sequence's mean (pooled, or running: of the tokens so far) or each token."""

    def __init__(self, lane, i, o):
        super().__init__()
        n, h = lane["experts"], lane.get("hidden") or max(4, i // 8)
        self.scale, self.reads = lane["alpha"], lane["gate"]
        self.v = nn.Parameter(torch.empty(n, i).uniform_(-(i ** -0.5), i ** -0.5))
        self.u = nn.Parameter(torch.zeros(n, o))
        self.intuition, self.gate = Intuition(i, h), Gate(h, n)

    def forward(self, x):
        q = x
        if self.reads == "pooled":
            q = x.mean(1, keepdim=True)
        elif self.reads == "running":
            q = x.cumsum(1) / torch.arange(1, x.shape[1] + 1, dtype=x.dtype, device=x.device)[:, None]
        g = self.gate(self.intuition(q)).expand(-1, x.shape[1], -1)
        return self.scale * torch.einsum("bsn,bsn,no->bso", g, x @ self.v.T, self.u), g


class Adapted(nn.Module):
    """A frozen layer and what is added to it; `balance` is the last forward's load-balancing term."""

    def __init__(self, lane, base):
        super().__init__()
        self.base, kind = base, {"full": Full, "molora": MoLoRA, "mor1e": MoR1E}[lane["method"]]
        self.adapter = kind(lane, base.in_features, base.out_features)
        balance = lane.get("balance") or {}
        self.kind, self.coefficient, self.balance = balance.get("kind", "none"), balance.get("coefficient", 0.0), 0.0

    def forward(self, x):
        added, gate = self.adapter(x)
        self.balance = 0.0 if gate is None else self.coefficient * balance(self.kind, gate)
        return self.base(x) + added


def balance(kind, gate):
    """Entropy: sum of m log m of the mean gate m. Switch: N sum of f m, f the share of tokens whose largest gate it is.
    With several processes, each balances its own tokens."""
    if kind == "none":
        return 0.0
    p = gate.reshape(-1, gate.shape[-1])
    m = p.mean(0)
    if kind == "entropy":
        return (m * (m + 1e-12).log()).sum()
    f = F.one_hot(p.argmax(-1), p.shape[-1]).to(p.dtype).mean(0)
    return p.shape[-1] * (f * m).sum()
