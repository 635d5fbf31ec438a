"""Claims, causes and value of the Troubled Families Programme, in England, 2012 to 2020."""
