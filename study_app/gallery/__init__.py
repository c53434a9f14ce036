"""The saliency gallery: the same image across defenses, each picture and map at its own address."""
