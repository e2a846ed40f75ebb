"""How to judge numbers. No models, no sensors."""
