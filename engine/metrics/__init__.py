"""Measures of trained networks. One file per family of measures."""
