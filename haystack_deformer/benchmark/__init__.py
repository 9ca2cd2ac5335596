"""What the plugin would save on this machine: readers side by side, indexing, storage, growth."""
