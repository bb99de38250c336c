"""Each module has one mistake: a task that takes the place of the correct one."""
