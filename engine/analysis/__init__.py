"""Statistics over ratings: DataFrames in, result objects out. Imports no torch."""
