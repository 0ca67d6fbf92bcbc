"""Learn an image encoder from unlabelled photos."""
