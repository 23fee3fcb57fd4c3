"""The kit of the author of a scorer."""
