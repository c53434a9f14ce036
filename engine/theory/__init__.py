"""Paper 2's theory without a network: margins of linear classifiers (`linear`)."""
