"""The database side: the engine and its sessions, private servers, the server's status."""
