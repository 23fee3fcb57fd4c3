"""A batch in shards: planned once, scored in any order by anybody, committed once."""
