"""What the programme is: its rules and its published figures, with no estimation."""
