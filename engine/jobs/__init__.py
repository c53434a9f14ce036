"""Making one artifact from its recipe: what a worker does (`making`), with what it has at hand."""
