"""What people read: numbers in words, tables and charts, each with its source."""
