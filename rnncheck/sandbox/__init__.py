"""Untrusted code in a process of its own: behind a stage that takes rights away, asked line by line, watched."""
