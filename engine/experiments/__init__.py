"""Experiment files, and the shipped ones: what they say (`experiment_file`, `sweeps`, `schema`) and
the tasks that it takes (`plan`).
"""
