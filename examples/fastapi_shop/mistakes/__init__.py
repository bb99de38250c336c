"""Each module has one mistake: a route that takes the place of the correct one."""
