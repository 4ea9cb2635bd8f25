"""GraphSAGE on the features and the social graph: a customer's engagement in the window after."""
