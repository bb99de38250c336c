"""The `loadtest` command: one module per command, and the shared options."""
