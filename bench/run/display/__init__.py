"""What a person or a program is told while a run goes on."""
