"""The cases, one file for each kind of resource. Importing a file registers its cases."""
