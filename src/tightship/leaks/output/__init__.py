"""A report for every reader: a terminal, a browser, a test server, GitHub."""
