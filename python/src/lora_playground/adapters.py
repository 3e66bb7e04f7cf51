"""An adapter that is in memory, or in a folder, opened in the page's Adapters view. Knows of PEFT only how it saves and what it wraps."""

import shutil
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from .served import served
from .widget import Frame

# How PEFT calls the layer that it has put an adapter around.
WRAPPED = ".base_layer."
FILES = ("adapter_model.safetensors", "adapter_config.json")


def inspect(adapter, base=None, *, lang="", height=720):
    """Looks into an adapter: a PEFT model in memory, with its base's weights, or a folder that PEFT saved.

    base: of a folder, the path of the base's safetensors file, if W0 and the merged weight are to be seen.
    """
    page = served()
    room, path = page.room()
    if isinstance(adapter, (str, Path)):
        _copy(Path(adapter), room)
        if base is not None:
            _link(Path(base), room / "model.safetensors")
    else:
        _save(adapter, room)
    query = f"adapter={path}" + (f"&base={path}/model.safetensors" if (room / "model.safetensors").exists() else "")
    return Frame(address=page.address, query=query + (f"&lang={lang}" if lang else ""), hash="adapters", height=height)


def _copy(folder, room):
    for name in FILES:
        if not (folder / name).is_file():
            raise FileNotFoundError(f"{folder} has no {name}; `inspect` takes a folder that PEFT saved, or a PEFT model")
        shutil.copy(folder / name, room / name)


def _link(file, place):
    if not file.is_file():
        raise FileNotFoundError(f"there is no file {file}")
    try:
        place.symlink_to(file.resolve())
    except OSError:
        shutil.copy(file, place)


def _save(model, room):
    if not hasattr(model, "save_pretrained") or not hasattr(model, "peft_config"):
        raise TypeError(f"{type(model).__name__} is no PEFT model; `inspect` takes one, or a folder that PEFT saved")
    active = model.active_adapter if isinstance(model.active_adapter, str) else model.active_adapter[0]
    model.save_pretrained(str(room), selected_adapters=[active])
    if active != "default":
        # PEFT puts others in folders of their names.
        _copy(room / active, room)
    weights = {}
    for name, value in model.get_base_model().state_dict().items():
        if WRAPPED in name:
            weights[name.replace(WRAPPED, ".")] = _array(value)
    if weights:
        save_file(weights, str(room / "model.safetensors"))


def _array(tensor):
    # NumPy has no bfloat16.
    whole = tensor.detach().cpu().float().numpy() if hasattr(tensor, "detach") else np.asarray(tensor, dtype=np.float32)
    return np.ascontiguousarray(whole)
