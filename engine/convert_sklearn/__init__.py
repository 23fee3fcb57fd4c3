"""Fitted scikit-learn pipelines as pipelines of this engine."""

from engine.convert_sklearn.convert import Converted as Converted
from engine.convert_sklearn.convert import from_sklearn as from_sklearn
from engine.convert_sklearn.difference import Difference as Difference
from engine.convert_sklearn.refuse import ConversionError as ConversionError
