"""Users and arrivals: who asks for connections, and when."""
