"""Campaigns against the program: damaged folders, damaged inputs, kills; each counts what went wrong."""
