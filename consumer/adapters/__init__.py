"""The thin side: one adapter per port."""
