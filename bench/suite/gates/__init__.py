"""Gates: token ids -> budget, decided before the model runs. One file per family."""
