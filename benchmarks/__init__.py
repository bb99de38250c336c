"""What the tool itself costs and how exact it is; each benchmark prints one JSON object."""
