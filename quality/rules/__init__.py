"""Cleaning rules as data: their form, their application, a starter set."""
