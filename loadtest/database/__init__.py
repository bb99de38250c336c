"""What we connect to: the engine and its sessions, a private server, and looks at any server."""
