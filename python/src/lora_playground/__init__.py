"""LoRA, MoLoRA, MoR1E and full fine-tuning side by side in a notebook's cell, and any PEFT adapter looked into."""

from .adapters import inspect
from .widget import Playground

__all__ = ["Playground", "inspect"]
