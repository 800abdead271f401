"""What is decided, with no I/O, clock or randomness in it."""
