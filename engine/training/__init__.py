"""From a plan and a labelled table to what the stages learn."""
