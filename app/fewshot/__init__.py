"""Classes from a few labelled photos: heads on embeddings, judged, and what to label next."""
