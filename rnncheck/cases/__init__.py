"""Where Cases come from: standard ones, fresh ones, those for somebody's own network, and ever smaller ones."""
