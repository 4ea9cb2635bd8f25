"""Graphs: centrality, communities, embeddings, spread, neural networks."""
