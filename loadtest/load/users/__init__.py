"""Users and arrivals, which determine when connections are requested."""
