SELECT epoch, state, size, root, signature, stored FROM epochs WHERE state <> 'anchored' ORDER BY epoch
