"""Reading a network and changing nothing: what it answers, its gradients, features and spaces.

Modules: `inference`, `spaces`, `features`, `probe` (whether a network can be used at all), `state`
(its weights as they are saved), `stochastic` (a mean over draws), `fast_copy` (an equivalent faster
copy), `devices`, `budget` and `memory` (how many images at a time).
"""
