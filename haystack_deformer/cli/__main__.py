"""`python -m haystack_deformer.cli`."""

from haystack_deformer.cli import app

app()
