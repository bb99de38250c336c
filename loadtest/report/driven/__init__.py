"""The parts of a report that only a run has which drives an application."""
