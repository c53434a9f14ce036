"""Experiment files, and the shipped ones.

Modules: `experiment_file`, `sweeps`, `schema` (what a file may say), `plan` (the tasks it takes).
"""
