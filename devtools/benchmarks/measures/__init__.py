"""The measurements of all competitors."""
