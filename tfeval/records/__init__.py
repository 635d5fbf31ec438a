"""Linked records of families: their schema, a way in, checks, pseudonyms and a simulator."""
