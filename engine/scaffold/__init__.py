"""What `engine new` writes: the texts in ``stage/`` and ``project/``, with names filled in."""
