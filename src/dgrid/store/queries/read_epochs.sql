SELECT epoch, state, size, root, signature, stored FROM epochs ORDER BY epoch DESC LIMIT ?
