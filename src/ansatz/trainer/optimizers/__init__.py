"""Optimizers beyond AdamW: one file each, none knows another, all of them `torch.optim.Optimizer`.

    soap            Adam in the eigenbasis of Shampoo's preconditioner: any size, noisy gradients
    broyden         dense self-scaled quasi-Newton: up to 8,000 parameters, exact gradients

Everything that a later step depends on is a tensor of `optimizer.state`, in the data type of the
parameters, so that a run which goes on from a saved state repeats the uninterrupted one bit by bit.
"""
