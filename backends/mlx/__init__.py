"""MLX: mlx-lm's model definitions on Metal, or on MLX's Linux build. `load` is the entry point."""
