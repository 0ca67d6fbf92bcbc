"""Search the gallery in a browser."""
