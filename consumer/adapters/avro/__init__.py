"""Records to bytes and back: framing, schema resolution, and where schemas come from."""
