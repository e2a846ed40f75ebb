"""What is asked for: suites, prompts, models, gates and the plan of slots."""
