"""Mappings in real time: the loop, its threads, and what they need of the world."""

from esm.live.run import LiveRun

__all__ = ["LiveRun"]
