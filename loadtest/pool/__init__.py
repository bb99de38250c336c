"""What is under test: every checkout of any Engine, measured."""
