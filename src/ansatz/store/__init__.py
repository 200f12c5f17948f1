"""Stores: samples ready for training, one file each."""
