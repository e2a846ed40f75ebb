"""llama.cpp in this process, through the package xllamacpp."""
