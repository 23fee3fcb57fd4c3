"""How good a pipeline's answers are on labelled rows: overall, by segments, and as a report."""

from engine.evaluate.evaluation import Evaluation, Segment, evaluate

__all__ = ["Evaluation", "Segment", "evaluate"]
