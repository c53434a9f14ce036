"""The front page at "/": what Plausibly is, and a look into the gallery."""
