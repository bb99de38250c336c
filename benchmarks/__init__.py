"""The cost and the accuracy of the tool itself; each benchmark prints one JSON object."""
