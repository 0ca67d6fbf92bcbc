"""From an encoder and a folder of photos to a searchable gallery. No torch, except in `export`."""
