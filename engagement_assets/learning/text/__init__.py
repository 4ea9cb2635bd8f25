"""Text encoders and classifiers of sentiment and emotion."""
