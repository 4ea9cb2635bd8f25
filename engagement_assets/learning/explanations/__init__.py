"""Exact SHAP values and what is summed up from them."""
