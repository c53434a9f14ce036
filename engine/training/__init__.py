"""The one training loop (`loop`), its checkpoints, and a faster second derivative."""
