"""Reading a network and changing nothing: what it answers, its gradients, features and spaces.

Modules: `inference`, `spaces`, `features`, `fast_copy` (an equivalent faster copy), `devices`,
`budget` and `memory` (how many images at a time).
"""
