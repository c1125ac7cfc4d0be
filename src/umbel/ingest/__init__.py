"""From the broker to the store: sources, decoding, the pipeline, and the collector process around them."""
