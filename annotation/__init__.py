"""All that knows Label Studio: its exports in, review tasks out."""
