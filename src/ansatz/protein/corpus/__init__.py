"""Corpora of protein sequences: from FASTA to packed and masked batches.

    FASTA --preparing--> shards of tokens --splits, clusters--> record numbers
          --order--> shuffled --packing--> (tokens, starts) --masking--> (places, labels)

`preparing` is one streaming pass. Everything after it is a pure function of the folder, a seed and
a position, so that no loader has a state to save and no number of processes changes the order.
"""
