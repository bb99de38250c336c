"""What recordings of running applications tell about their pools."""
