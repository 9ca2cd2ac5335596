"""
Defects of farm-haystack 1.26's own stores, each mended in a mixin that is put ahead of the store.

Nothing here knows of states: where Haystack mends a defect, its file can go.
"""
