"""Generate what other programs rely on: JSON Schemas, AsyncAPI, topic manifests."""
