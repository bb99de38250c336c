"""The `loadtest` command: a module for each command, and the options they share."""
