"""The engine: datasets, defenses, attacks, saliency maps and the artifacts they leave.

It computes and knows no database and no screen. Importing it imports no torch; the members that
compute (models, defenses, attacks, saliency methods) do when they are first asked for.
"""
