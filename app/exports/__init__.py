"""Labels and classifiers as files for other programs."""
