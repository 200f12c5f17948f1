"""The networks of downscaling: a U-Net, and the two stages that are made of it."""
