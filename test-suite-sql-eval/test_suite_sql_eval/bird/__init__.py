"""BIRD's own metrics: EX by sets of rows, Soft-F1 and R-VES (`metrics`), judged by `judge`."""

from .judge import BirdReport, BirdSettings, judge

__all__ = ["BirdReport", "BirdSettings", "judge"]
