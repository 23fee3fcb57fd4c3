"""From emitted source to machine code: numba, the C library's symbols, the disk cache."""
