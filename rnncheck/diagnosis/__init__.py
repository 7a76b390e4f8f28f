"""What is wrong, by name: conventions, then what the results say themselves, then the catalogue of faults."""

from rnncheck.diagnosis.diagnose import diagnose, explain_failure
from rnncheck.diagnosis.finding import Cause, Diagnosis

__all__ = ["Cause", "Diagnosis", "diagnose", "explain_failure"]
