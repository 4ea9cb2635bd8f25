"""Deployment on AWS: templates, image, and the commands that deploy them and say what they cost."""
