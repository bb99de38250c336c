"""Run files and folders of results: their schema, how they are written and read."""
