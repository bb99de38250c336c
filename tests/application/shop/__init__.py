"""A small shop as many applications are: it knows nothing of being tested."""
