"""What is asked of an implementation: one small file for each family of checks, each check with a name."""
