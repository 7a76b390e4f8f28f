"""What is wrong, by name: conventions, then what the results say themselves, then the catalogue of faults."""

from rnncheck.diagnosis.diagnose import diagnose
from rnncheck.diagnosis.finding import Cause, Diagnosis

__all__ = ["Cause", "Diagnosis", "diagnose"]
