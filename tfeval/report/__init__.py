"""From results to reports: chapters, records, runs and pages."""
