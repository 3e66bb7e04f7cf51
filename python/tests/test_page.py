"""What is served, and to whom; what a model in memory is saved as; how a cell's talk is kept. Without a browser."""

import json
import tempfile
import unittest
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import numpy as np
from safetensors.numpy import load_file, save

from lora_playground import Playground, inspect
from lora_playground.served import Served, served

EXAMPLE = Path(__file__).parents[2] / "www/data/adapter/example"


class Model:
    """As PEFT's models save themselves and name their weights."""

    active_adapter = "default"
    peft_config = {}

    def save_pretrained(self, folder, selected_adapters):
        assert selected_adapters == ["default"]
        for name in ("adapter_model.safetensors", "adapter_config.json"):
            (Path(folder) / name).write_bytes((EXAMPLE / name).read_bytes())

    def get_base_model(self):
        return self

    def state_dict(self):
        return {
            "model.layers.0.self_attn.q_proj.base_layer.weight": np.arange(6, dtype=np.float16).reshape(2, 3),
            "model.layers.0.self_attn.q_proj.lora_A.default.weight": np.zeros((1, 3)),
            "model.norm.weight": np.ones(3),
        }


class Serving(unittest.TestCase):
    def test_the_page_is_there_for_who_knows_its_path(self):
        page = Served()
        try:
            with urlopen(page.address + "index.html") as answer:
                self.assertIn("LoRA Playground", answer.read().decode())
            with urlopen(page.address + "lora-playground_bg.wasm") as answer:
                self.assertEqual(answer.headers["content-type"], "application/wasm")
            root = page.address.split("/")[:3]
            for path in ("/index.html", "/wrong/index.html", f"/{page.key}/../../etc/passwd", f"/{page.key}/adapters/"):
                with self.assertRaises(HTTPError) as refused:
                    urlopen("/".join(root) + path)
                self.assertEqual(refused.exception.code, 404, path)
                refused.exception.close()
        finally:
            page.close()

    def test_an_installation_without_the_page_says_what_to_do(self):
        with tempfile.TemporaryDirectory() as folder, self.assertRaisesRegex(FileNotFoundError, "cargo xtask wheel"):
            Served(folder)


class Inspecting(unittest.TestCase):
    def test_a_model_in_memory_is_served_with_its_weights(self):
        frame = inspect(Model())
        query = dict(pair.split("=") for pair in frame.query.split("&"))
        with urlopen(f"{frame.address}{query['adapter']}/adapter_config.json") as answer:
            self.assertEqual(json.load(answer), json.loads((EXAMPLE / "adapter_config.json").read_text()))
        weights = load_file(served().beside / query["base"])
        self.assertEqual(list(weights), ["model.layers.0.self_attn.q_proj.weight"])
        np.testing.assert_array_equal(weights["model.layers.0.self_attn.q_proj.weight"], [[0, 1, 2], [3, 4, 5]])

    def test_what_is_no_adapter_is_refused_by_name(self):
        with self.assertRaisesRegex(TypeError, "dict is no PEFT model"):
            inspect({})
        with self.assertRaisesRegex(FileNotFoundError, "no adapter_model.safetensors"):
            inspect("no/such/folder")
        with self.assertRaisesRegex(FileNotFoundError, "there is no file nowhere"):
            inspect(EXAMPLE, base="nowhere")


class Talking(unittest.TestCase):
    def setUp(self):
        self.playground = Playground("loss", "lanes=lora.r2", address="http://127.0.0.1:1/", theme="dark", lang="zh")

    def hear(self, content, buffers=()):
        self.playground._hear(self.playground, content, list(buffers))

    def test_an_address_is_a_figures(self):
        self.assertEqual(self.playground.query, "lanes=lora.r2&embed=loss&theme=dark&lang=zh")
        document = Playground(config={"version": 1}, address="http://127.0.0.1:1/").query
        self.assertEqual(document, "embed=loss&theme=auto&config=%7B%22version%22:%201%7D")

    def test_values_are_arrays(self):
        with self.assertRaisesRegex(LookupError, "lane 0: no losses have come"):
            self.playground.losses()
        gates = {"layer": 0, "experts": 2, "tokens": [0.25, 0.75, 1, 0], "tokenDomains": [0, 1]}
        self.hear({"type": "values", "lane": 0, "steps": [0, 1], "losses": [1, 0.5], "gates": gates})
        steps, losses = self.playground.losses(0)
        self.assertEqual((steps.tolist(), losses.tolist()), ([0, 1], [1, 0.5]))
        self.assertEqual(self.playground.gates(0).tolist(), [[0.25, 0.75], [1, 0]])
        self.hear({"type": "values", "lane": 1, "steps": [], "losses": [], "gates": None})
        with self.assertRaisesRegex(LookupError, "lane 1 has no gates"):
            self.playground.gates(1)
        with self.assertRaisesRegex(LookupError, "lane 7: no losses have come; there are those of 0, 1"):
            self.playground.losses(7)
        self.hear({"type": "ready", "lanes": []})
        with self.assertRaises(LookupError):
            self.playground.losses(0)

    def test_an_adapter_is_tensors_and_files(self):
        tensors = {"a.lora_A.weight": np.ones((2, 3), np.float32)}
        names = ["adapter_model.safetensors", "adapter_config.json"]
        self.hear({"type": "adapter", "lane": 1, "names": names}, [memoryview(save(tensors)), memoryview(b"{}")])
        np.testing.assert_array_equal(self.playground.tensors(1)["a.lora_A.weight"], tensors["a.lora_A.weight"])
        with tempfile.TemporaryDirectory() as folder:
            saved = self.playground.save(1, Path(folder) / "mine")
            self.assertEqual(sorted(path.name for path in saved.iterdir()), sorted(names))


if __name__ == "__main__":
    unittest.main()
