"""Media work for months, in a fixed amount of memory, with nothing leaked, hung or left behind."""
