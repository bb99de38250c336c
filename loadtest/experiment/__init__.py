"""What runs what: one run in a fresh Locust process, and rounds of them."""
