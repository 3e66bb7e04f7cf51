"""The page in a cell: what is shown, what it is told, and what it has told. Knows nothing of what the values mean."""

import json
from pathlib import Path

import anywidget
import numpy as np
import traitlets
from safetensors.numpy import load

from .served import served


class Frame(anywidget.AnyWidget):
    """A frame of the page. `query` and `hash` are its address's."""

    _esm = Path(__file__).parent / "widget.js"
    address = traitlets.Unicode().tag(sync=True)
    query = traitlets.Unicode().tag(sync=True)
    hash = traitlets.Unicode().tag(sync=True)
    height = traitlets.Int(0).tag(sync=True)
    # Whether the frame speaks docs/EMBED.md's messages.
    talks = traitlets.Bool(False).tag(sync=True)


class Playground(Frame):
    """Live panels of a run.

    panels: names with commas between, as docs/EMBED.md has them ("loss,gates"), or "experiment:top-k" and the like.
    config: the run, as a link's query ("lanes=full~lora.r8&seed=2"), or a document as a dict or JSON; without it the default run.
    theme: "light", "dark" or "auto". lang: "en" or "zh". height: pixels; 0 is as high as what is in it.
    address: where the page is served, where that is not to be this process.
    """

    ready = traitlets.Dict(help="What the run is, told when it is set up.")
    frame = traitlets.Dict(help="Its last moment: step, losses, the sentence.")
    error = traitlets.Unicode(help="Why something was refused; empty if nothing was.")

    def __init__(self, panels="loss", config="", *, theme="auto", lang="", height=0, paused=False, address=None):
        from urllib.parse import quote, urlencode

        own = {"embed": panels, "theme": theme, **({"lang": lang} if lang else {}), **({"paused": ""} if paused else {})}
        link = config if isinstance(config, str) else json.dumps(config)
        if link.lstrip().startswith("{"):
            own["config"], link = link, ""
        query = "&".join(part for part in (link.split("?")[-1], urlencode(own, safe=",:", quote_via=quote)) if part)
        super().__init__(address=address or served().address, query=query, height=height, talks=True)
        self._values = {}
        self._files = {}
        self.on_msg(self._hear)

    def _hear(self, _widget, content, buffers):
        kind = content.get("type")
        if kind == "ready":
            self.ready = content
            self._values, self._files = {}, {}
        elif kind == "frame":
            self.frame = content
        elif kind == "values":
            self._values[content["lane"]] = content
        elif kind == "adapter":
            self._files[content["lane"]] = {name: bytes(data) for name, data in zip(content["names"], buffers)}
        elif kind == "error":
            self.error = content["message"]

    def _ask(self, type, **rest):
        self.send({"type": type, **rest})

    def run(self):
        self._ask("run")

    def pause(self):
        self._ask("pause")

    def step(self):
        self._ask("step")

    def reset(self):
        self._ask("reset")

    def set(self, config):
        """Another run: a link's query, or a document."""
        self._ask("set", config=config)

    def set_rank(self, lane, rank):
        """Of a trained lane, in place (MoR1E: its experts)."""
        self._ask("setRank", lane=lane, rank=rank)

    def ablate(self, lane, expert=0, layer=0):
        """Shows what an expert carries; `lane` None ends it."""
        self._ask("ablate", **({"lane": None} if lane is None else {"lane": lane, "expert": expert, "layer": layer}))

    def select(self, lane, layer=0, token=None):
        """What the figures look at, and whose gates `gates` has."""
        self._ask("select", lane=lane, layer=layer, **({} if token is None else {"token": token}))

    def fetch(self):
        """Asks for the adapters as they are now; they are there in the next cell."""
        self._ask("fetch")

    def _of(self, told, lane, what):
        if lane not in told:
            seen = ", ".join(map(str, sorted(told))) or "none yet"
            raise LookupError(f"lane {lane}: no {what} have come; there are those of {seen}. They come once the cell is shown and trains.")
        return told[lane]

    def losses(self, lane=0):
        """Steps and losses of a lane as its chart has them: `[points]` each; of long runs, means over some steps each."""
        values = self._of(self._values, lane, "losses")
        return np.asarray(values["steps"], dtype=float), np.asarray(values["losses"], dtype=float)

    def gates(self, lane):
        """Gates of the layer looked at, `[tokens, experts]`, on the probe tokens."""
        gates = self._of(self._values, lane, "gates")["gates"]
        if gates is None:
            raise LookupError(f"lane {lane} has no gates")
        return np.asarray(gates["tokens"], dtype=np.float32).reshape(-1, gates["experts"])

    def tensors(self, lane):
        """The lane's adapter by PEFT's names, or its parameters where PEFT has not the method."""
        files = self._of(self._files, lane, "tensors")
        return {name: tensor for path, data in files.items() if path.endswith(".safetensors") for name, tensor in load(data).items()}

    def save(self, lane, folder):
        """Writes the lane's adapter into `folder`: what PEFT loads, or tensors with a script where PEFT has not the method."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        for path, data in self._of(self._files, lane, "files").items():
            (folder / Path(path).name).write_bytes(data)
        return folder
