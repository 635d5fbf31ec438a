"""From results to what people read: tables, figures, records, runs and pages."""
