"""The connections of many processes against the limits of a server."""
