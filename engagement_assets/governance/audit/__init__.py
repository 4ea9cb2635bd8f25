"""The quarterly ethics audit, and the cards and data sheets that it asks for."""
