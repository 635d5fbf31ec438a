"""Mean outcomes with and without the programme, and what each unit does to them."""
