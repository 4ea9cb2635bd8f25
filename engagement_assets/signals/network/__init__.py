"""The social graph: its metrics, communities, embeddings, and what spreads along its edges."""
