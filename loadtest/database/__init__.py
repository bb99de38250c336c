"""What we connect to: the engine and its sessions, a private server, a server's status."""
