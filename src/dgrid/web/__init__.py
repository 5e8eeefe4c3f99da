"""What people look at in a browser. Pages are static; they read the public /v1/network endpoints like anybody else."""
