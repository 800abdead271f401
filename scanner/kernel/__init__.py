"""Part of the scanner."""
