"""Train a model down to a cut, and measure it."""
