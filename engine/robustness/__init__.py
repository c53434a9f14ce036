"""Is a model robust, or only hard to attack?

`climbing` attacks it with a series of attacks whose order of strength is known; `doubt` judges
whether that order was kept.
"""
