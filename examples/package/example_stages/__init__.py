"""Stages for Engine, found by their entry points."""
