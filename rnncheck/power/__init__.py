"""What a run can see: the kill matrix of checks against catalogued faults, and the blind spots of a choice of cases."""
