"""Simulated participants: raters with known parameters, through the real HTTP path.

Their answers are data of the stage `simulated`, wherever the study stands. The truth is written
beside the data.

`raters` says how people answer, `simulated_person` is one of them, `simulating` lets them take part
in a study of an installation, `in_memory` draws the same answers without one, and `truth` says what
an analysis should find.
"""
