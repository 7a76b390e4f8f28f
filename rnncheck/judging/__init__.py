"""How two Traces are compared, and how far rounding may carry them apart."""
