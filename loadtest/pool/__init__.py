"""The instrument: measures every checkout of any Engine."""
