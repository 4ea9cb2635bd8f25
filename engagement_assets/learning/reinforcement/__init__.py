"""When to send something, learnt from what sending brings and costs later."""
