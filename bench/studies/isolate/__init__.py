"""What limits a decode step: ten tests on one loaded model, and the verdict."""
