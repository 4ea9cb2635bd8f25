"""What the programme brought, what it cost, and the business case beside it."""
