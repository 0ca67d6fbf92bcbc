"""Where the app listens, under which names, and to whom it opens."""
