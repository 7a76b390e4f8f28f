"""Which checks a run of `rnncheck verify` consists of: planned first, counted, run later."""
