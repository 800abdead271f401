"""Amplitude DSR: privacy requests against Amplitude that finish by themselves, with proof."""
