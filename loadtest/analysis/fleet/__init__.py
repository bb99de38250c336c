"""The connections of many processes compared with the limits of a server."""
