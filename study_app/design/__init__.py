"""From a study file to what each person sees: images, presentations, lists, one person's plan."""
