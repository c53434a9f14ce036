"""Simulated participants: raters with known parameters, through the real HTTP path.

Their answers are data of the stage `simulated`, wherever the study stands. The truth is written
beside the data.
"""
