"""The options that the tool adds to Locust's command line and start form."""
