"""One thread of computation a test process: several run side by side, and bits stay the same."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

torch.set_num_threads(1)
