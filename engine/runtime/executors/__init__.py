"""Who scores the shards of a run: threads of this process, or workers on many machines."""
