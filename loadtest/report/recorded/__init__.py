"""The report of a recording: page, terminal, figures."""
