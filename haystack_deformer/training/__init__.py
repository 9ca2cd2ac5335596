"""Train a model down to a cut."""
