"""From rows and tables, through a program, to answers."""
