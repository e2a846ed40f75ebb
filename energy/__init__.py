"""How to measure energy. No models, no prompts."""
