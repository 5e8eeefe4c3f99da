"""Who scores an answer beside those of other nodes: by rules alone, or by how alike an encoder finds them."""
