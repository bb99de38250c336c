"""What the shops and the worker share: the tables, the settings, the service that they call."""
