"""PyTorch: transformers' model definitions on mps, cuda or cpu. `load` is the entry point."""
