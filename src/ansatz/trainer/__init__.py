"""Training: a loop that is a generator, a step that can be compiled, checkpoints that resume.

Read `loop` first; `step` is what happens inside one of its iterations.
"""
