"""The commands of ssl-index: each file a group of them, `indexer.cli` puts them together."""
