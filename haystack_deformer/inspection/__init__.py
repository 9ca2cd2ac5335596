"""What each cut of a model would save on this machine, so that a user can choose one."""

from haystack_deformer.inspection.measuring import CODECS, inspect_model
from haystack_deformer.inspection.report import CutCosts, Inspection

__all__ = ["CODECS", "CutCosts", "Inspection", "inspect_model"]
