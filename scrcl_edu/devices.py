"""Where the tensors are: CUDA, Apple's GPU, or the CPU."""

from __future__ import annotations

import torch

from scrcl_edu.errors import SettingsError


def choose_device(device: str = "auto") -> torch.device:
    """The device by name; "auto" takes CUDA, then Apple's, then the CPU."""
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if device == "auto":
        device = next(name for name, there in available.items() if there)
    kind = device.split(":")[0]
    if kind not in available:
        raise SettingsError(f"device is {device!r}; choose auto, cuda, mps or cpu")
    if not available[kind]:
        raise SettingsError(f"device {device} is not there; use --device auto, or --device cpu")
    try:
        return torch.empty(0, device=device).device
    except (AssertionError, RuntimeError) as error:  # such as cuda:7 where there is one
        raise SettingsError(f"device {device} is not there; use --device auto, or --device cpu") from error
