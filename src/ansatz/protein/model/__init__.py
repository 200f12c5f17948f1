"""ESM-2 and ESM-1nv without padding: the network, its loss, and the files of other libraries."""
