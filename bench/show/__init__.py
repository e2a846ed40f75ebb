"""How things are shown: words, tables, figures and safe text."""
