SELECT epoch, state, size, root, signature, stored FROM epochs WHERE epoch = ?
